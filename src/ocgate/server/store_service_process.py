"""The store service as a process: listen, be found in the family's registry, end cleanly."""

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc.aio

import ocgate
from ocgate.core.errors import ConfigError, StoreError
from ocgate.server.store_service import StoreService
from ocgate.stores.service_registry import REGISTER_INTERVAL, Registration, ServiceRegistry
from ocgate.stores.sqlite_file import SQLiteFile
from ocgate.stores.store_service import SERVICES

log = logging.getLogger("ocgate.store_service")

_GRACE = 5.0
"""Seconds for calls under way at the end; one takes a few milliseconds."""

_PATIENCE = 5.0
"""Seconds that a call may wait for the file. Clients bring deadlines of their own, and a call
that its client gave up is taken out of the queue."""

_RETRY = 1.0
"""Seconds until the next try when the registry could not be reached."""

_WILDCARDS = ("0.0.0.0", "[::]", "")  # noqa: S104 - recognised in order to be refused


@dataclass(frozen=True, slots=True)
class StoreServiceOptions:
    """Where the service keeps its entries, listens and is registered.

    `services` are its names in the registry, by default those of both families; `advertise` is
    the `host:port` that others reach it at, by default `address`.
    """

    path: Path
    address: str = "127.0.0.1:9460"
    services: Sequence[str] = ()
    advertise: str = ""


async def run_store_service(
    options: StoreServiceOptions,
    registry: ServiceRegistry | None,
    *,
    ready: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is called with the address once calls are taken.

    Raises ConfigError when the address cannot be used, or cannot be told to others.
    """
    host = _host(options.address)
    if registry is not None and not options.advertise and host in _WILDCARDS:
        raise ConfigError(f"{options.address} tells others nothing: say --advertise host:port")
    file = SQLiteFile(options.path, timeout=_PATIENCE)
    server = cast("Any", grpc.aio).server(
        handlers=(StoreService(file),), options=(("grpc.so_reuseport", 0),)
    )
    try:
        address = f"{host}:{_bound_port(server, options.address)}"
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await server.start()
        ready(address)
        if registry is None:
            await stop.wait()
        else:
            reached = options.advertise or address
            names = options.services or tuple(SERVICES.values())
            entered = [Registration(name, reached, ocgate.__version__) for name in names]
            await _registered(registry, entered, stop)
    finally:
        await server.stop(_GRACE)
        await file.aclose()
        if registry is not None:
            await registry.aclose()


async def _registered(
    registry: ServiceRegistry, entered: Sequence[Registration], stop: asyncio.Event
) -> None:
    """Keep the registrations fresh until `stop`, then take them out."""
    while not stop.is_set():
        pause = REGISTER_INTERVAL.total_seconds()
        try:
            for registration in entered:
                await registry.register(registration)
        except StoreError as exc:
            log.warning("not in the service registry: %s", exc.detail)
            pause = _RETRY
        try:
            await asyncio.wait_for(stop.wait(), pause)
        except TimeoutError:
            continue
    for registration in entered:
        try:
            await registry.deregister(registration)
        except StoreError as exc:
            log.warning("still in the service registry: %s", exc.detail)


def _host(address: str) -> str:
    host, colon, port = address.rpartition(":")
    if not (colon and port.isascii() and port.isdecimal() and int(port) < 1 << 16):
        raise ConfigError(f"{address!r} is not host:port")
    return host


def _bound_port(server: grpc.aio.Server, address: str) -> int:
    try:
        return server.add_insecure_port(address)
    except RuntimeError as exc:
        raise ConfigError(f"cannot listen on {address}: {exc}") from exc
