"""How the family's go-micro plugin writes entries into NATS JetStream KV.

Read in go-micro's `store/nats-js-kv` (keys.go, nats.go) as OpenCloud sets it up (`EncodeKeys`):
the key is base32 of `<table>_<name>`, the value a JSON envelope with the name, the base64 of
the data and a map of metadata that the family writes as null and ignores when it reads.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

_EXPIRES = "ocgate-expires-at"
_ESCAPED = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
"""What Go's encoding/json escapes and Python's does not."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The content of one KV value.

    `expires_at` (seconds since the epoch) is an entry's own end, where the bucket's would come
    later: RFC 3339 under `ocgate-expires-at` in the metadata, unseen by the family.
    """

    name: str
    data: bytes
    expires_at: float | None = None

    def dump(self) -> bytes:
        """Return the bytes that Go's `json.Marshal` gives for the same envelope."""
        metadata = None
        if self.expires_at is not None:
            moment = datetime.fromtimestamp(self.expires_at, UTC)
            metadata = {_EXPIRES: moment.isoformat(timespec="milliseconds")}
        envelope = {
            "key": self.name,
            "data": base64.b64encode(self.data).decode(),
            "metadata": metadata,
        }
        text = json.dumps(envelope, ensure_ascii=False, separators=(",", ":"))
        return text.translate(_ESCAPED).encode()

    @classmethod
    def load(cls, value: bytes) -> "Envelope":
        """Read a value; raises ValueError for anything else than an envelope."""
        try:
            found: Any = json.loads(value)
            # Go writes a nil slice as null.
            data = base64.b64decode(found["data"] or "", validate=True)
            metadata = cast("dict[str, Any]", found.get("metadata") or {})
            expires = metadata.get(_EXPIRES)
            expires_at = None if expires is None else datetime.fromisoformat(expires).timestamp()
            return cls(str(found["key"]), data, expires_at)
        except (AttributeError, KeyError, TypeError, RecursionError, binascii.Error) as exc:
            raise ValueError(f"not an envelope: {exc!r}") from exc


def nats_key(table: str, name: bytes) -> str:
    """Return the key under which the family keeps `name` of that table."""
    return base64.b32encode(table.encode() + b"_" + name).decode()


def name_of(table: str, key: str) -> str | None:
    """Return the name behind a key; None if it belongs to another table or nobody."""
    try:
        full = base64.b32decode(key).decode()
    except ValueError:
        return None
    prefix = f"{table}_"
    return full.removeprefix(prefix) if full.startswith(prefix) and full != prefix else None
