"""`ocgate serve`: the gate, its debug address, and an orderly end."""

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import resource
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

from ocgate.app import Gate, create_gate
from ocgate.cli import Commands
from ocgate.config.load import Loaded, load
from ocgate.config.network_kinds import Address
from ocgate.config.page import shown_values
from ocgate.config.settings import Settings
from ocgate.core.errors import ConfigError
from ocgate.routes.health import debug_app
from ocgate.server.limits import Limits
from ocgate.server.logs import configure_logging
from ocgate.server.run import GateServer
from ocgate.server.tls import TLSSettings, ensure_certificate

log = logging.getLogger("ocgate.start")


def add_to(commands: Commands) -> None:
    """Add `serve`."""
    parser = commands.add_parser("serve", help="run the gate")
    parser.add_argument(
        "--services", help="comma list of what to run: proxy, ocs (default: both; OC_RUN_SERVICES)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; running transfers get the grace time."""
    overrides = {} if arguments.services is None else {"runtime.run": arguments.services}
    loaded = load(os.environ, overrides=overrides)
    settings = loaded.settings
    logs = settings.logs
    configure_logging(logs.level, pretty=logs.pretty, file=logs.file or None)
    # What is said at the start is said at every level: it is about the whole run.
    log.setLevel(logging.INFO)
    for warning in loaded.warnings:
        log.warning("%s", warning)
    raise_file_limit()
    gate = create_gate(settings, environ=os.environ)
    server = public_server(gate, settings)
    debug = debug_server(gate, loaded)
    calm_collector()
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(serve(server, debug))
    return 0


async def serve(server: GateServer, debug: "DebugServer") -> None:
    """Run both servers; the debug address answers until the last transfer is over.

    Raises ConfigError where one of them cannot listen; then neither runs.
    """
    watching = asyncio.create_task(debug.serve())
    watching.add_done_callback(lambda _: setattr(server, "should_exit", True))
    try:
        await server.serve()
    except ConfigError as error:
        raise ConfigError(f"PROXY_HTTP_ADDR: {error}") from error
    finally:
        debug.should_exit = True
        await asyncio.wait((watching,))
        failure = watching.exception()
    if isinstance(failure, ConfigError):
        raise ConfigError(f"PROXY_DEBUG_ADDR: {failure}") from failure
    if failure is not None:
        raise failure


def public_server(gate: Gate, settings: Settings) -> GateServer:
    """Return the server of the public address. Raises ConfigError for an unusable certificate."""
    door, limits = settings.door, settings.limits
    tls = TLSSettings(Path(door.tls_cert), Path(door.tls_key)) if door.tls else None
    if tls is not None and ensure_certificate(tls, names=_names(settings)):
        log.warning("made a certificate that signs itself: %s", tls.cert)
    return GateServer(
        gate,
        addr=_address(door.address),
        uds=_socket(door.address),
        tls=tls,
        grace=settings.runtime.grace.total_seconds(),
        limits=Limits(
            connections=limits.connections,
            head_seconds=limits.header_timeout.total_seconds(),
            keep_alive_seconds=limits.keep_alive.total_seconds(),
            body_idle_seconds=limits.body_timeout.total_seconds(),
            write_stall_seconds=limits.write_timeout.total_seconds(),
            head_bytes=limits.header_bytes,
            header_count=limits.headers,
            target_bytes=limits.target,
        ),
        on_listening=lambda urls: _announce(urls, settings),
    )


class DebugServer(GateServer):
    """A second server in the process, which leaves the signals to the first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave them alone."""
        yield


def debug_server(gate: Gate, loaded: Loaded) -> DebugServer:
    """Return the server of `/healthz`, `/readyz`, `/metrics` and `/config`."""
    debug = loaded.settings.debug

    def config() -> dict[str, str]:
        return {name: value for name, value, _ in shown_values(loaded)}

    app = debug_app(gate.checks, gate.metrics, token=debug.token.value, config=config)
    return DebugServer(app, addr=_address(debug.address), uds=_socket(debug.address), grace=1)


def calm_collector() -> None:
    """Let the garbage collector look less often, and not at what the start made.

    Requests leave next to no cycles behind; with the interpreter's threshold, many requests at
    the same time set it off all the time, for a tenth of the processor.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def raise_file_limit() -> None:
    """Take as many file descriptors as the system gives: each client costs one or two."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _announce(urls: list[str], settings: Settings) -> None:
    backends = sorted({address for route in settings.routes for address in route.backend})
    log.info(
        "listening on %s, in front of %s",
        ", ".join(urls),
        ", ".join(backends) or "nothing",
        extra={"fields": {"services": sorted(settings.services)}},
    )


def _address(address: Address) -> str:
    return "127.0.0.1:0" if address.unix else str(address)


def _socket(address: Address) -> Path | None:
    return Path(address.unix) if address.unix else None


def _names(settings: Settings) -> list[str]:
    names = ["localhost", "127.0.0.1", "::1", urlsplit(settings.door.public_url).hostname or ""]
    host = settings.door.address.host
    if host not in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        names.append(host)
    return [name for name in dict.fromkeys(names) if name]
