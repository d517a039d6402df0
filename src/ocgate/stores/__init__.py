"""Bytes under a name, shared between processes: one module a backend."""
