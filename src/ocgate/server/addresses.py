"""Reading the address to listen on."""

import re

from ocgate.core.errors import ConfigError

_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\s:/\[\]]*)):(?P<port>[0-9]{1,5})")
_HIGHEST_PORT = 65535


def parse_address(text: str) -> tuple[str | None, int]:
    """Split `host:port`, `[v6]:port` or `:port` (all interfaces, host None) in the Go form.

    Port 0 lets the kernel choose. Raises `ConfigError`.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > _HIGHEST_PORT:
        raise ConfigError(f"{text!r} is not an address of the form host:port")
    return found["v6"] or found["name"] or None, int(found["port"])


def url_of(scheme: str, host: str, port: int) -> str:
    """Write an address as people open it."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
