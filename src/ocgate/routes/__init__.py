"""Small request handlers that issue what the middlewares check."""
