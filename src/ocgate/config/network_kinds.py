"""Settings that name a place in a network: addresses, URLs, backends, address ranges."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import SplitResult, urlsplit

from ocgate.config.kinds import Kind, listed, parse_text

_MAX_PORT = 65535
_HOST = re.compile(r"[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9._~-]+)?\]")
_PORT = re.compile(r"[0-9]{1,5}")
_PATH = re.compile(r"(?:/[!$&'()*+,;=:@A-Za-z0-9._~%-]*)*")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: `host` and `port`, or `unix`, the path of a socket."""

    host: str = ""
    port: int = 0
    unix: str = ""

    def __str__(self) -> str:
        if self.unix:
            return f"unix:{self.unix}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read `host:port`, `:port` (every interface), `[v6]:port` or `unix:/path`."""
    unix = unix_path(text)
    if unix:
        return Address(unix=unix)
    host, colon, port = parse_text(text).rpartition(":")
    number = parse_port(port) if colon else None
    if number is None or (host and not _HOST.fullmatch(host)):
        raise ValueError(f"{text!r} is not an address such as 127.0.0.1:9200 or unix:/run/x.sock")
    return Address(host.strip("[]") or "0.0.0.0", number)  # noqa: S104


def parse_port(text: str) -> int | None:
    """Read a port number; None where there is none."""
    if not _PORT.fullmatch(text) or int(text) > _MAX_PORT:
        return None
    return int(text)


def unix_path(text: str) -> str:
    """Return the path of `unix:/path` and `unix:///path`; empty for anything else."""
    if not text.startswith("unix:"):
        return ""
    path = parse_text(text.removeprefix("unix:"))
    path = path.removeprefix("//")
    if not path.startswith("/"):
        raise ValueError(f"{text!r}: the path of a socket starts with a slash")
    return path


def parse_url(text: str) -> str:
    """Read an `http(s)` URL without user, query and fragment, and return it unchanged."""
    _split(text)
    return text


def parse_origin(text: str) -> str:
    """Read `scheme://host[:port]`; returned in lower case without a slash at the end."""
    parts = _split(text)
    if parts.path not in ("", "/"):
        raise ValueError(f"{text!r} has a path; only scheme, host and port are possible")
    return f"{parts.scheme}://{parts.netloc}".lower()


def parse_backend(text: str) -> str:
    """Read where a backend is: `http(s)://host[:port][/prefix]` or `unix:/path`."""
    if unix_path(text):
        return text
    return parse_url(text)


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """Read `10.0.0.0/8`, `fd00::/8`, or a single address."""
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not an address range: {error}") from None


def parse_cors_origin(text: str) -> str:
    """Read an origin that CORS may allow: `*`, or an origin with at most one `*` in the host."""
    if text == "*":
        return text
    if text.count("*") > 1:
        raise ValueError(f"{text!r} has more than one wildcard")
    parse_origin(text.replace("*", "x"))
    return text.lower().removesuffix("/")


def _split(text: str) -> SplitResult:
    if "@" in text:
        # Not shown, as a password may be in it.
        raise ValueError("a URL with a user name is not possible here")
    try:
        parts = urlsplit(parse_text(text))
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not _is_authority(parts.netloc, port):
        raise ValueError(f"{text!r} is not a URL such as https://cloud.example.com")
    if parts.query or parts.fragment or not text.isprintable() or "?" in text or "#" in text:
        raise ValueError(f"{text!r} has a query or fragment")
    if not _PATH.fullmatch(parts.path):
        raise ValueError(f"{text!r} has a character that must be percent-encoded")
    return parts


def _is_authority(netloc: str, port: int | None) -> bool:
    host = netloc if port is None else netloc.rpartition(":")[0]
    return bool(_HOST.fullmatch(host))


ADDRESS = Kind("address", parse_address)
URL = Kind("url", parse_url)
ORIGIN = Kind("origin", parse_origin)
BACKENDS = listed("list of backend addresses", parse_backend)
NETWORKS = listed("list of address ranges", parse_network)
CORS_ORIGINS = listed("list of origins", parse_cors_origin)
