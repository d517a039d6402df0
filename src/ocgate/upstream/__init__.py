"""The data plane: connections to the backends, and the relay that moves the bytes."""
