"""What trusted proxies say about the client: address, scheme and host.

A chain is read from the right, because every proxy appends what it saw itself: the first
address that is not a trusted proxy is the client, whatever stands left of it. An entry that
cannot be read ends the chain at the proxy that passed it on; nothing is guessed.

Sources: RFC 7239 for `Forwarded`; `X-Forwarded-*` and `X-Real-IP` have no standard, their
form is the one that nginx, Apache, HAProxy, Caddy and Traefik write.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from ocgate.core.errors import ConfigError

FORWARDED_FAMILY = (
    "Forwarded",
    "X-Forwarded",
    "X-Forwarded-*",
    "X-Real-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Original-*",
    "X-Rewrite-*",
)
"""Patterns of every header in which a proxy speaks about the request it received."""

_LONGEST = 4096  # bytes of one chain; sixteen hops need less than a quarter of it
_REMEMBERED = 4096
_PORT = re.compile(r":[0-9]{1,5}")
_HOST = re.compile(
    rb"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]{2,45}\])"
    rb"(?::[0-9]{1,5})?"
)
_PAIR = re.compile(
    r"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)="
    r'(?:([!#$%&\'*+.^_`|~0-9A-Za-z-]+)|"((?:[^"\\\x00-\x1f\x7f]|\\[\t\x20-\x7e])*)")'
    r"[ \t]*(?:;|\Z)"
)
_ELEMENT = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"|")+')  # commas in quoted strings split nothing

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Hop:
    """One element of `Forwarded`, with the parameters that matter here, "" where absent."""

    client: str = ""
    proto: str = ""
    host: str = ""


class TrustedProxies:
    """The networks whose hosts are believed; raises `ConfigError` for what is not a CIDR."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = []
        self._known: dict[str, bool] = {}
        for text in networks:
            try:
                self._networks.append(ip_network(text.strip()))
            except ValueError as error:
                raise ConfigError(f"trusted proxies: {error}") from None

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, host: str) -> bool:
        known = self._known.get(host)
        if known is None:
            address = parse_address(host)
            known = address is not None and any(address in network for network in self._networks)
            if len(self._known) < _REMEMBERED and len(host) <= len("[") + 45 + len("]:65535"):
                self._known[host] = known
        return known


def parse_address(text: str) -> Address | None:
    """Return the address in `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`.

    None for everything else, also for `unknown`, obfuscated names (RFC 7239 §6.3) and zone
    ids. IPv4 in IPv6 (`::ffff:192.0.2.1`) is returned as IPv4.
    """
    if text.startswith("["):
        text, bracket, port = text[1:].partition("]")
        if not bracket or ":" not in text or (port and not _PORT.fullmatch(port)):
            return None
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not _PORT.fullmatch(":" + port):
            return None
    if "%" in text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def client_at(chain: Sequence[str], trusted: TrustedProxies) -> int | None:
    """Return where in a chain from a trusted peer the client's address stands, or None.

    `chain` is in the order of the header: the peer's own word is last.
    """
    client: int | None = None
    for at in range(len(chain) - 1, -1, -1):
        address = parse_address(chain[at])
        if address is None:
            break
        client = at
        if str(address) not in trusted:
            break
    return client


def parse_list(values: Sequence[bytes]) -> list[str]:
    """Return the entries of a comma-separated header, all its lines joined in order.

    Of an overlong header the right end counts.
    """
    entries = b",".join(values)[-_LONGEST:].decode("latin-1").split(",")
    return [entry.strip(" \t") for entry in entries]


def parse_forwarded(values: Sequence[bytes]) -> list[Hop]:
    """Return the elements of `Forwarded` (RFC 7239 §4) that stand right of any broken one.

    An element that does not follow the grammar, or repeats a parameter, ends the chain.
    """
    hops: list[Hop] = []
    for element in _ELEMENT.findall(b",".join(values)[-_LONGEST:].decode("latin-1")):
        if not element.strip(" \t"):
            continue  # lists may have empty elements (RFC 9110 §5.6.1.2)
        hop = _parse_hop(element)
        if hop is None:
            hops.clear()
        else:
            hops.append(hop)
    return hops


def parse_proto(text: str) -> str | None:
    """Return `http` or `https`, None for anything else."""
    proto = text.lower()
    return proto if proto in ("http", "https") else None


def parse_host(text: str) -> bytes | None:
    """Return the host with its port if it has one, None if it is not a host at all."""
    host = text.encode("latin-1")
    return host if _HOST.fullmatch(host) else None


def _parse_hop(element: str) -> Hop | None:
    found: dict[str, str] = {}
    at = 0
    while at < len(element):
        pair = _PAIR.match(element, at)
        if pair is None:
            return None
        name = pair[1].lower()
        if name in found:
            return None
        found[name] = pair[2] if pair[2] is not None else re.sub(r"\\(.)", r"\1", pair[3])
        at = pair.end()
    return Hop(found.get("for", ""), found.get("proto", ""), found.get("host", ""))
