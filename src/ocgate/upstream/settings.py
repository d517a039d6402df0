"""How long a backend may take, and how much of us it may occupy."""

from dataclasses import dataclass

from ocgate.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Timeouts:
    """All in seconds. They are checked four times a second, so they are that coarse."""

    connect: float = 5.0
    """Until TCP and TLS stand; then `GatewayTimeout`."""
    first_byte: float = 60.0
    """From the end of the request until the response head; then `GatewayTimeout`."""
    idle: float = 60.0
    """Without a byte while a body is on its way; the response is broken off then."""
    keep_alive: float = 50.0
    """How long an unused connection is kept."""
    slot: float = 1.0
    """How long a request waits where `Limits.connections` are all busy; then `Overloaded`."""

    def __post_init__(self) -> None:
        for name in ("connect", "first_byte", "idle", "keep_alive", "slot"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"the upstream time-out {name} must be more than 0 seconds")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for each address of a backend."""

    connections: int = 512
    """Open connections, busy and idle together."""
    idle_connections: int = 128
    """Connections that are kept although nobody uses them."""

    def __post_init__(self) -> None:
        if self.connections < 1:
            raise ConfigError("a backend needs at least 1 connection")
        if self.idle_connections < 0:
            raise ConfigError("the number of idle connections cannot be negative")
