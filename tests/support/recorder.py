"""A backend that answers 200 to everything and keeps the bytes it was sent."""

import contextlib
import re
import socket
import threading
from collections.abc import Generator

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nrecorded"


class Recorder:
    """Every byte that arrives on 127.0.0.1:`port` is in `received`, connection by connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.received: list[bytearray] = []
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def everything(self) -> bytes:
        """Return all bytes of all connections."""
        return b"".join(bytes(one) for one in self.received)

    def clear(self) -> None:
        """Forget what came so far; open connections go on recording."""
        for one in self.received:
            one.clear()

    def open_connections(self) -> int:
        """Return how many connections are open."""
        return sum(thread.is_alive() for thread in self._threads[1:])

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            kept = bytearray()
            self.received.append(kept)
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection, kept), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, kept: bytearray) -> None:
        pending = b""
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65536):
                kept += data
                pending += data
                while (length := _complete(pending)) is not None:
                    pending = pending[length:]
                    connection.sendall(ANSWER)


def _complete(data: bytes) -> int | None:
    """Return the length of the first whole request in `data`, None while it is not whole."""
    head, separator, rest = data.partition(b"\r\n\r\n")
    if not separator:
        return None
    start = len(head) + 4
    if re.search(rb"(?im)^transfer-encoding:", head):
        end = rest.find(b"0\r\n\r\n")
        return None if end < 0 else start + end + 5
    found = re.search(rb"(?im)^content-length: *(\d+)", head)
    length = start + (int(found[1]) if found else 0)
    return length if len(data) >= length else None


@contextlib.contextmanager
def recorder() -> Generator[Recorder]:
    """Run a recorder."""
    one = Recorder()
    try:
        yield one
    finally:
        one.close()
