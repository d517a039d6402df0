"""The door: the hardened HTTP protocol, the process around it, its logs and its debug address."""
