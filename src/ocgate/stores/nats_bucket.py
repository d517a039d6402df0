"""One bucket of NATS JetStream KV: its last messages, conditional writes, the keys.

A bucket that exists is used as its creator made it; a missing one is made as go-micro makes
it: one value per key, direct reads allowed. It is made again if it vanishes meanwhile, as one
in memory does when the server restarts.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from nats.js.api import Header, KeyValueConfig, StorageType
from nats.js.errors import APIError, BadRequestError, NoStreamResponseError, NotFoundError

from ocgate.stores.nats_connection import NATSConnection

if TYPE_CHECKING:
    from nats.aio.client import Client

T = TypeVar("T")

_NO_SUCH_STREAM = 10059
_NAME_IN_USE = 10058
_WRONG_LAST_SEQUENCE = (10071, 10164)
_OPERATION = "KV-Operation"
_EXPIRED = "Nats-Marker-Reason"


@dataclass(frozen=True, slots=True)
class Message:
    """The last message under a key. `value` is None where there is none or it was deleted."""

    sequence: int = 0
    value: bytes | None = None


class NATSBucket:
    """The bucket `name`. Methods raise nats.errors.Error or OSError."""

    def __init__(
        self,
        connection: NATSConnection,
        name: str,
        *,
        ttl: timedelta | None = None,
        in_memory: bool = False,
        timeout: float = 1.0,
    ) -> None:
        self._connection = connection
        self._config = KeyValueConfig(
            bucket=name,
            description="made by ocgate",
            ttl=None if ttl is None else ttl.total_seconds(),
            storage=StorageType.MEMORY if in_memory else StorageType.FILE,
            direct=True,
        )
        self._stream = f"KV_{name}"
        self._prefix = f"$KV.{name}."
        self._timeout = timeout
        self._found_by: Client | None = None
        self._ttl: float | None = None

    async def ttl(self) -> float | None:
        """Return the seconds after which the bucket itself forgets an entry; None for never."""
        await self._jetstream()
        return self._ttl

    async def last(self, key: str) -> Message:
        """Return the last message under `key`, as the stream's leader knows it.

        A direct read could be answered by a replica that has not seen the latest write.
        """
        return await self._run(lambda js: self._last(js, self._prefix + key))

    async def write(self, key: str, value: bytes, *, after: int | None = None) -> bool:
        """Write; with `after` only if that is still the sequence of the key's last message."""
        return await self._publish(key, value, {}, after)

    async def delete(self, key: str, *, after: int) -> bool:
        """Mark the key as deleted, if `after` is still the sequence of its last message."""
        return await self._publish(key, b"", {_OPERATION: "DEL"}, after)

    async def keys(self) -> list[str]:
        """Return every key with a message, be it a mark of deletion.

        The stream's own list of subjects, because the library's watcher can say that it is done
        before it told anything (seen with nats-py 2.16 on a busy machine).
        """
        found = list[str]()
        while True:
            page, total = await self._run(partial(self._subjects, offset=len(found)))
            found += page
            if not page or len(found) >= total:
                return [subject.removeprefix(self._prefix) for subject in found]

    async def check(self) -> None:
        """Ask for the bucket's state."""
        await self._run(lambda js: js.stream_info(self._stream))

    async def aclose(self) -> None:
        """Close the connection."""
        await self._connection.aclose()

    async def _publish(
        self, key: str, payload: bytes, headers: dict[str, str], after: int | None
    ) -> bool:
        if after is not None:
            headers = {**headers, Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(after)}
        try:
            await self._run(
                lambda js: js.publish(self._prefix + key, payload, headers=headers or None)
            )
        except APIError as exc:
            if exc.err_code in _WRONG_LAST_SEQUENCE:
                return False
            raise
        return True

    async def _run(self, action: Callable[[Any], Awaitable[T]]) -> T:
        try:
            return await action(await self._jetstream())
        except (NotFoundError, NoStreamResponseError) as exc:
            if isinstance(exc, NotFoundError) and exc.err_code != _NO_SUCH_STREAM:
                raise
            self._found_by = None
        return await action(await self._jetstream())

    async def _jetstream(self) -> Any:
        client = await self._connection.client()
        # The library leaves parts of its annotations open; what comes back is checked by use.
        jetstream = cast("Any", client).jetstream(timeout=self._timeout)
        if self._found_by is not client:
            self._ttl = await self._find_or_make(jetstream)
            self._found_by = client
        return jetstream

    async def _find_or_make(self, jetstream: Any) -> float | None:
        try:
            info = await jetstream.stream_info(self._stream)
        except NotFoundError:
            try:
                await jetstream.create_key_value(self._config)
            except BadRequestError as exc:
                # Another process was faster, with another idea of the bucket: it stands.
                if exc.err_code != _NAME_IN_USE:
                    raise
            info = await jetstream.stream_info(self._stream)
        return info.config.max_age or None

    async def _last(self, jetstream: Any, subject: str) -> Message:
        try:
            found = await jetstream.get_msg(self._stream, subject=subject)
        except NotFoundError as exc:
            if exc.err_code == _NO_SUCH_STREAM:
                raise
            return Message()
        headers: dict[str, str] = found.headers or {}
        gone = _OPERATION in headers or _EXPIRED in headers
        return Message(found.seq or 0, None if gone else found.data or b"")

    async def _subjects(self, _jetstream: Any, *, offset: int) -> tuple[list[str], int]:
        # The server tells 100,000 at a time; the library has no parameter for the next ones.
        client = await self._connection.client()
        request = {"subjects_filter": f"{self._prefix}>", "offset": offset}
        answer = await client.request(
            f"$JS.API.STREAM.INFO.{self._stream}", json.dumps(request).encode(), self._timeout
        )
        found: Any = json.loads(answer.data)
        if "error" in found:
            raise cast("Any", APIError).from_error(found["error"])
        return list(found["state"].get("subjects") or {}), int(found.get("total") or 0)
