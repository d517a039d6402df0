"""The rules: what a target, a signature, a policy or an envelope is.

Nothing here does I/O, knows a framework or reads a clock; import-linter keeps it so.
"""
