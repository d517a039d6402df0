"""ASGI middlewares, one a file, each usable alone."""
