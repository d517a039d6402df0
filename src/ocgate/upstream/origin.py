"""Where a backend listens, read from one line of configuration."""

import re
from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import urlsplit

from ocgate.core.errors import ConfigError

_HOST = re.compile(r"[0-9A-Za-z._-]+|[0-9A-Fa-f:.]+")  # international names as `xn--…`
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """One address of a backend.

    `socket` is the path of a unix socket, and empty for TCP. `prefix` is the path under which
    the backend serves, without a slash at its end: `b""` or `b"/dav"`.
    """

    scheme: Literal["http", "https"]
    host: str
    port: int
    socket: str = ""
    prefix: bytes = b""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `http://host:port/prefix`, `https://…` or `unix:/path/to.sock[:/prefix]`.

        Raises ConfigError for anything else, above all for user names, queries and fragments.
        """
        if text.startswith("unix:"):
            socket, _, prefix = text.removeprefix("unix:").partition(":")
            if not socket.startswith("/"):
                raise ConfigError(f"{text!r}: a unix socket is written unix:/path/to.sock")
            return cls("http", "localhost", 80, socket, _prefix(prefix, text))
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ConfigError(f"{text!r} is not the address of a backend: {error}") from error
        if parts.scheme not in ("http", "https") or not host or not _HOST.fullmatch(host):
            raise ConfigError(f"{text!r}: a backend is written http://host:port, https:// or unix:")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ConfigError(f"{text!r}: only scheme, host, port and path belong there")
        scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
        return cls(scheme, host, port or DEFAULT_PORTS[scheme], prefix=_prefix(parts.path, text))

    @property
    def authority(self) -> bytes:
        """The `Host` value that means this address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        suffix = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{host}{suffix}".encode("ascii")

    def __str__(self) -> str:
        where = f"unix:{self.socket}" if self.socket else ""
        return where or f"{self.scheme}://{self.authority.decode()}{self.prefix.decode()}"


def _prefix(path: str, text: str) -> bytes:
    prefix = path.rstrip("/")
    if prefix and not prefix.startswith("/"):
        raise ConfigError(f"{text!r}: the path of a backend starts with a slash")
    if not prefix.isascii() or not prefix.isprintable() or " " in prefix:
        raise ConfigError(f"{text!r}: the path of a backend is written percent-encoded")
    return prefix.encode()
