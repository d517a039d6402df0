"""What the bytes of a client are at a moment."""

import enum


class Phase(enum.Enum):
    """The phases of a connection; `parses` says whether bytes go to the HTTP parser."""

    IDLE = "idle"
    """The start of a request, of which nothing has come yet."""
    HEAD = "head"
    """A part of a request head."""
    BODY = "body"
    """A part of a body that the application may read."""
    UNWANTED = "unwanted"
    """The rest of a body whose response is complete."""
    ANSWERING = "answering"
    """The next request, left alone until the response is complete."""
    CLOSING = "closing"
    """Nothing: they are thrown away until the client has read the last answer."""
    TUNNEL = "tunnel"
    """Another protocol."""

    parses: bool

    def __init__(self, name: str) -> None:
        self.parses = name in ("idle", "head", "body", "unwanted")
