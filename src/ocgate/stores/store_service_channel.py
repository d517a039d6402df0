"""The gRPC connection to a store service: found, made and given up as needed."""

import asyncio
import random
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.message import Message
from grpc.aio import AioRpcError, Channel, insecure_channel

from ocgate.core.errors import StoreError
from ocgate.stores.service_registry import ServiceRegistry

M = TypeVar("M", bound=Message)

_OPTIONS = (
    # The service is ours or a neighbour: no proxy of the environment stands between.
    ("grpc.enable_http_proxy", 0),
    # Channels would share the waiting time after a failed connection with one given up before.
    ("grpc.use_local_subchannel_pool", 1),
)
_GIVE_UP = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class StoreServiceChannel:
    """Calls methods of `package`.Store at `node`: `host:port`, or a service in `registry`.

    A connection that failed is given up; the next call looks the service up again and
    connects at once, so nobody waits for gRPC's own growing pauses.
    """

    def __init__(
        self, node: str, *, package: str, registry: ServiceRegistry | None, timeout: float = 1.0
    ) -> None:
        self._node = node
        self._package = package
        self._registry = registry
        self._timeout = timeout
        self._channel: Channel | None = None
        self._closing = set[asyncio.Task[None]]()

    async def call(
        self, method: str, request: Message, answer: type[M], *metadata: tuple[str, str]
    ) -> tuple[M, dict[str, str]]:
        """Return the answer and its trailing metadata; raises AioRpcError or StoreError."""
        channel = await self._connected()
        ask = cast("Any", channel).unary_unary(self._path(method), _dumped, answer.FromString)
        try:
            call = ask(request, timeout=self._timeout, metadata=metadata)
            return await call, texts(await call.trailing_metadata())
        except AioRpcError as exc:
            self._noted(exc, channel)
            raise

    async def stream(
        self, method: str, request: Message, answer: type[M]
    ) -> tuple[list[M], dict[str, str]]:
        """Return all answers and their trailing metadata; raises AioRpcError or StoreError."""
        channel = await self._connected()
        ask = cast("Any", channel).unary_stream(self._path(method), _dumped, answer.FromString)
        try:
            call = ask(request, timeout=self._timeout)
            return [page async for page in call], texts(await call.trailing_metadata())
        except AioRpcError as exc:
            self._noted(exc, channel)
            raise

    async def aclose(self) -> None:
        """Close the connections. May be called twice."""
        if self._channel is not None:
            self._give_up(self._channel)
        await asyncio.gather(*self._closing)
        if self._registry is not None:
            await self._registry.aclose()

    def _path(self, method: str) -> str:
        return f"/{self._package}.Store/{method}"

    async def _connected(self) -> Channel:
        if self._channel is None:
            address = await self._address()
            # Another call may have connected while this one looked the address up.
            if self._channel is None:
                self._channel = insecure_channel(address, options=_OPTIONS)
        return self._channel

    async def _address(self) -> str:
        if self._registry is None:
            return self._node
        addresses = await self._registry.addresses(self._node)
        if not addresses:
            raise StoreError(
                "The store did not answer.", detail=f"no {self._node} in the service registry"
            )
        return random.choice(addresses)  # noqa: S311 - it spreads load, it guards nothing

    def _noted(self, error: AioRpcError, channel: Channel) -> None:
        if error.code() in _GIVE_UP and channel is self._channel:
            self._give_up(channel)

    def _give_up(self, channel: Channel) -> None:
        self._channel = None
        # Other calls on it get the time that they were promised.
        task = asyncio.create_task(channel.close(self._timeout))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _dumped(message: Message) -> bytes:
    return message.SerializeToString()


def texts(metadata: Any) -> dict[str, str]:
    """Return the metadata that is text, by key."""
    return {key: value for key, value in metadata if isinstance(value, str)}
