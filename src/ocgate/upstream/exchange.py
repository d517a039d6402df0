"""One request through one connection: the upload, and the eye on the client."""

import asyncio
from typing import Final

from starlette.types import Message, Receive

from ocgate.core.errors import BadGateway, BadRequest
from ocgate.upstream.connection import ClientGone, Connection
from ocgate.upstream.mapping import AddressMap
from ocgate.upstream.outgoing_request import OutgoingRequest

CONTINUE_SECONDS: Final = 1.0
"""How long the body is held back for the backend's `100 Continue` (RFC 9110 §10.1.1 asks
clients not to wait for ever, since old servers never send one)."""

LINGER_SECONDS: Final = 5.0
LINGER_QUIET_SECONDS: Final = 0.5
"""After an answer that came before the upload's end, the rest of the upload is thrown away for
so long, or until the client pauses: cut at once, it would often not see the answer (RFC 9112
§9.6)."""

REFUSED: Final = 400
"""From this status on the backend does not want the rest of the body."""


class Exchange:
    """Owns a connection from the request's first byte until it is given back."""

    __slots__ = ("_receive", "_request", "_sent", "_task", "connection", "discarded", "uploaded")

    def __init__(self, request: OutgoingRequest, receive: Receive) -> None:
        self.connection: Connection
        self.uploaded = not request.has_body
        self.discarded = 0
        self._request = request
        self._receive = receive
        self._sent = False
        self._task: asyncio.Task[None] | None = None

    async def ask(self, connection: Connection, address: AddressMap, *, upgrade: bool) -> None:
        """Send the request and wait for the response head.

        A connection that the backend closed just as it was taken out of the pool is replaced
        once, if the backend cannot have acted on the request. Raises BadGateway,
        GatewayTimeout, BadRequest (the client's fault) or ClientGone.
        """
        self.connection = connection
        head = self._request.head(address, upgrade=upgrade)
        try:
            await self._ask(head)
        except BadGateway:
            if not connection.reused or connection.touched or not connection.lost:
                raise
            if self._sent or not (self._request.repeatable or self._request.has_body):
                raise
            self.unwatch()
            connection.pool.give_back(connection)
            self.connection = await connection.pool.connect()
            await self._ask(head)

    async def _ask(self, head: bytes) -> None:
        connection = self.connection
        connection.begin(head, bodiless=self._request.method == "HEAD", owner=self)
        if not self.uploaded:
            connection.uploading = True
            self._task = asyncio.create_task(self._upload(connection))
        await connection.answered()

    def watch(self) -> None:
        """Look from here on whether the client is still there, at the price of a task."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch(self.connection))

    def end(self) -> None:
        """Give the connection back, or cut it if anything about the exchange is unfinished."""
        self.unwatch()
        connection = self.connection
        if not self.uploaded:
            connection.reusable = False
        connection.pool.give_back(connection)

    async def linger(self) -> None:
        """Throw the rest of the upload away, for a bounded time."""
        loop = asyncio.get_running_loop()
        end = loop.time() + LINGER_SECONDS
        seen = -1
        while self._task is not None and not self.uploaded and loop.time() < end:
            if self.discarded == seen:
                return
            seen = self.discarded
            await asyncio.wait((self._task,), timeout=LINGER_QUIET_SECONDS)
            if self._task.done():
                return

    def unwatch(self) -> None:
        """Stop looking at the client, and stop the upload."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _watch(self, connection: Connection) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        connection.fail(ClientGone())

    async def _upload(self, connection: Connection) -> None:
        """Pass the body on as it comes; afterwards, watch."""
        try:
            if self._request.expects_continue:
                await connection.go_ahead(CONTINUE_SECONDS)
                if connection.status:
                    # answered without asking for the body, so the client is not asked either
                    return
            await self._pass_on(connection)
            await self._watch(connection)
        except Exception as error:  # noqa: BLE001
            # whatever it was, the coroutine that waits for the answer raises it
            connection.fail(error)

    async def _pass_on(self, connection: Connection) -> None:
        chunked = self._request.chunked
        left = self._request.length
        while True:
            message = await self._receive()
            body, more = _part(message)
            if message["type"] == "http.disconnect":
                # without a last chunk, so that the backend cannot take it for the whole
                connection.fail(ClientGone())
                return
            left -= len(body)
            if not chunked and (left < 0 or (left > 0 and not more)):
                connection.fail(BadRequest("the body is not as long as Content-Length says"))
                return
            if connection.status >= REFUSED or connection.complete:
                self.discarded += 1
            elif chunked:
                self._write_chunk(connection, body, last=not more)
            elif body:
                self._sent = True
                connection.transport.write(body)
            if not more:
                break
            if connection.write_paused:
                await connection.drain()
        self.uploaded = True
        connection.uploading = False
        connection.progress = connection.pool.tick

    def _write_chunk(self, connection: Connection, body: bytes, *, last: bool) -> None:
        self._sent = True
        end = b"0\r\n\r\n" if last else b""
        if body:
            connection.transport.writelines((b"%x\r\n" % len(body), body, b"\r\n" + end))
        elif last:
            connection.transport.write(end)


def _part(message: Message) -> tuple[bytes, bool]:
    return message.get("body", b""), message.get("more_body", False)
