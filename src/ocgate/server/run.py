"""The process around an application: listen, serve, stop without losing a transfer.

    run(app, addr="127.0.0.1:9200")

At SIGTERM or SIGINT the listeners close at once, every answer that starts afterwards says
`Connection: close`, idle connections are closed, and running transfers get the grace time; then
`run` returns. A second SIGINT ends it immediately.
"""

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE

from ocgate.core.errors import ConfigError
from ocgate.server.addresses import parse_address, url_of
from ocgate.server.limits import Limits
from ocgate.server.protocol import with_limits
from ocgate.server.tls import TLSSettings, server_context

if TYPE_CHECKING:
    import socket
    import ssl
    from types import FrameType

log = logging.getLogger("ocgate.server")

BACKLOG = 4096
SOCKET_MODE = 0o666
"""Like a TCP port on the loopback interface: every local user may connect."""

OnListening = Callable[[list[str]], None]


def run(
    app: ASGIApp,
    *,
    addr: str = "127.0.0.1:9200",
    tls: TLSSettings | None = None,
    uds: Path | None = None,
    grace: float = 10.0,
    limits: Limits | None = None,
    on_listening: OnListening | None = None,
) -> None:
    """Serve `app` until a signal says stop; returns after the stop.

    `addr` is `host:port` (`:port` for all interfaces, port 0 for a free one), unless `uds` names
    a unix socket. `grace` is in seconds. `on_listening` is told the URLs once connections are
    accepted. Raises `ConfigError` if the address or the certificate cannot be used, SystemExit
    if the application does not start.
    """
    server = GateServer(
        app, addr=addr, tls=tls, uds=uds, grace=grace, limits=limits, on_listening=on_listening
    )
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(server.serve())


class GateServer(uvicorn.Server):
    """uvicorn's server with our protocol and stop; arguments as for `run`."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        addr: str = "127.0.0.1:9200",
        tls: TLSSettings | None = None,
        uds: Path | None = None,
        grace: float = 10.0,
        limits: Limits | None = None,
        on_listening: OnListening | None = None,
    ) -> None:
        if grace < 0:
            raise ConfigError("the grace time must not be negative")
        self.limits = limits or Limits()
        self.host, self.port = parse_address(addr)
        self.uds = uds
        self.tls: ssl.SSLContext | None = None if tls is None else server_context(tls)
        self.on_listening = on_listening
        self.protocol = with_limits(self.limits)
        config = uvicorn.Config(
            app,
            http=self.protocol,
            interface="asgi3",
            lifespan="on",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
        )
        # uvicorn hands it to `wait_for`, which takes fractions too
        config.timeout_graceful_shutdown = grace  # type: ignore[assignment]
        super().__init__(config)

    async def startup(self, sockets: "list[socket.socket] | None" = None) -> None:  # noqa: ARG002
        """Start the application, then listen. Raises as `run`."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            raise SystemExit(STARTUP_FAILURE)
        try:
            self.servers = [await self._listen()]
        except OSError as error:
            await self.lifespan.shutdown()
            where = self.uds or f"{self.host or ''}:{self.port}"
            raise ConfigError(f"cannot listen on {where}: {error.strerror or error}") from error
        self.started = True
        urls = self._urls()
        log.info("listening on %s", ", ".join(urls), extra={"fields": {"urls": urls}})
        if self.on_listening is not None:
            self.on_listening(urls)

    async def _listen(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {"backlog": BACKLOG, "ssl": self.tls}
        if self.tls is not None:
            options["ssl_handshake_timeout"] = self.limits.head_seconds
        if self.uds is None:
            return await loop.create_server(self._connection, self.host, self.port, **options)
        server = await loop.create_unix_server(self._connection, str(self.uds), **options)
        self.uds.chmod(SOCKET_MODE)
        return server

    def _connection(self) -> asyncio.Protocol:
        return self.protocol(self.config, self.server_state, self.lifespan.state)

    def _urls(self) -> list[str]:
        scheme = "http" if self.tls is None else "https"
        if self.uds is not None:
            return [f"{scheme}+unix://{self.uds}"]
        names = [listener.getsockname() for listener in self.servers[0].sockets]
        return [url_of(scheme, host, port) for host, port, *_ in names]

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop at SIGTERM and SIGINT.

        uvicorn raises the signal again after the stop, which would end the process with the
        signal's status instead of 0.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        for number in before:
            signal.signal(number, self.handle_exit)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: "FrameType | None") -> None:
        """Begin the stop; a second SIGINT leaves out the waiting."""
        log.info("stopping", extra={"fields": {"signal": signal.Signals(sig).name}})
        super().handle_exit(sig, frame)
