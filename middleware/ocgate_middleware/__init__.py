"""ASGI middlewares, one a file, each usable alone: `from ocgate_middleware.csp import CSPMiddleware`."""
