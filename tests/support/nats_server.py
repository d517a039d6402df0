"""A real nats-server with JetStream that can be stopped and started again with its data."""

import contextlib
from collections.abc import Generator
from pathlib import Path

from tests.support.processes import Child, listening, public_folder, reserved_port
from tests.support.programs import program


class NatsServer:
    """See the module docstring."""

    def __init__(self, *, port: int, folder: Path) -> None:
        self.port = port
        self.node = f"127.0.0.1:{port}"
        self._folder = folder
        self._child: Child | None = None

    def start(self) -> None:
        argv = [program("nats-server"), "--addr", "127.0.0.1", "--port", str(self.port)]
        argv += ["--jetstream", "--store_dir", str(self._folder / "jetstream")]
        self._child = Child(argv, output=self._folder / "output")
        self._child.wait_until(lambda: listening(self.port))

    def stop(self) -> None:
        """End it, if it runs."""
        if self._child is not None:
            self._child.terminate()
            self._child = None


@contextlib.contextmanager
def nats_server() -> Generator[NatsServer]:
    """Run one with an empty store."""
    with public_folder() as folder, reserved_port() as port:
        server = NatsServer(port=port, folder=folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
