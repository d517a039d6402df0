"""The composition root: from `Settings` to the gate that is served.

The only package that knows every other one. Nothing below it sees a `Settings`.
"""

from ocgate.app.gate import Gate, create_gate

__all__ = ["Gate", "create_gate"]
