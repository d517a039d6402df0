"""One table of keys, and the loader that makes frozen dataclasses of it, once."""
