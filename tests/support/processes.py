"""Child processes of tests: on a port nobody else can take, ready when used, ended by their id."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path


@contextlib.contextmanager
def reserved_port() -> Generator[int]:
    """Yield a port of 127.0.0.1 that the kernel gives to nobody else meanwhile.

    The socket is bound and never listens, so a server that sets SO_REUSEADDR (they all do)
    can listen there, also after a restart.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def listening(port: int) -> bool:
    """Say whether somebody accepts connections on that port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(holds: Callable[[], object], *, what: str, seconds: float = 20) -> None:
    """Poll until `holds()` is true; AssertionError naming `what` after the deadline."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)


@contextlib.contextmanager
def public_folder() -> Generator[Path]:
    """Yield a fresh folder that a server running as another user can enter.

    pytest's tmp_path is closed to other users, so Apache's www-data could not get in.
    """
    with tempfile.TemporaryDirectory(prefix="ocgate-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


class Child:
    """A started server. Everything it prints is in `output`."""

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, output: Path
    ) -> None:
        self.output = output
        with output.open("ab") as sink:
            self.process = subprocess.Popen(
                argv,
                env=None if env is None else dict(env),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def printed(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_until(self, holds: Callable[[], object], *, seconds: float = 20) -> None:
        """Wait until the server is ready; AssertionError with its output if it never is."""
        name = Path(str(self.process.args[0])).name  # type: ignore[index]

        def ready_or_dead() -> bool:
            return self.process.poll() is not None or bool(holds())

        try:
            wait_until(ready_or_dead, what=f"{name} is ready", seconds=seconds)
        except AssertionError as never:
            raise AssertionError(f"{never}\n{self.printed()}") from None
        code = self.process.poll()
        assert code is None, f"{name} ended with {code}:\n{self.printed()}"

    def terminate(self, *, seconds: float = 20) -> int:
        """Ask it to end and return its exit code; it is killed where it does not listen."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"still there {seconds} s after SIGTERM:\n{self.printed()}"
            ) from None

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def child(
    argv: Sequence[str],
    *,
    output: Path,
    ready: Callable[[], object],
    env: Mapping[str, str] | None = None,
) -> Generator[Child]:
    """Start a server, wait until `ready()`, end it at the end whatever happened."""
    started = Child(argv, env=env, output=output)
    try:
        started.wait_until(ready)
        yield started
    finally:
        with contextlib.suppress(AssertionError):
            started.terminate()


def peak_memory(pid: int) -> int:
    """Return the most memory in bytes that the process ever had resident (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no VmHWM of process {pid}")


def running_as_root() -> bool:
    return os.geteuid() == 0
