"""What one connection may use up, and how long it may take.

Precedents: nginx (`large_client_header_buffers`, `client_header_timeout`, `lingering_time`),
Envoy's edge profile, Apache's `RequestReadTimeout`; RFC 9112 §7.1 asks for bounds on chunk
extensions and trailers.
"""

from dataclasses import dataclass, fields

from ocgate.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one client connection; times in seconds, sizes in bytes.

    Raises `ConfigError` unless every value is positive.
    """

    head_seconds: float = 10
    """A request head is complete this long after it began, and the first one after accepting."""
    keep_alive_seconds: float = 75
    """An idle connection is closed."""
    body_idle_seconds: float = 30
    """The longest gap in a request body while the application is ready to read it."""
    body_window_seconds: float = 28
    body_window_bytes: int = 1024
    """What has to arrive of a body within each window, so that trickling is cut too."""
    write_stall_seconds: float = 60
    """A client that reads nothing of its answer for so long is cut."""
    drain_seconds: float = 2
    drain_bytes: int = 64 * 1024
    """What is read of a body that nobody wants, in order to keep the connection."""
    stop_idle_seconds: float = 0.5
    """At a shutdown an idle connection may still bring a request that is on its way."""
    head_bytes: int = 64 * 1024
    header_count: int = 100
    target_bytes: int = 8 * 1024
    chunk_extension_bytes: int = 256
    """Extensions of the chunks that arrive together."""
    trailer_bytes: int = 8 * 1024
    body_buffer_bytes: int = 128 * 1024
    """Received and not yet taken by the application; reading pauses above it."""
    connections: int = 20_000
    """Open client connections in total."""
    connections_per_address: int | None = None
    """Connections at the same time from one client address; None for no bound."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and value <= 0:
                raise ConfigError(f"{field.name} must be positive")

    @property
    def tick(self) -> float:
        """How often deadlines are looked at: often enough for the shortest of them."""
        shortest = min(
            getattr(self, field.name) for field in fields(self) if "_seconds" in field.name
        )
        return float(min(1.0, max(0.02, shortest / 4)))
