"""ocgate: a gate in front of a file server that somebody already runs."""

__version__ = "0.1.0"
