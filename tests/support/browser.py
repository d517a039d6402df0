"""Headless Chromium, and a web server for the pages that it opens."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.processes import wait_until
from tests.support.programs import program

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--enable-logging=stderr",
)


class PageServer:
    """Serves `pages` (path to content) with the header `policy`; POSTs end in `reports`."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, bytes]] = {}
        self.policy = ""
        self.reports: list[Any] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                kind, content = server.pages.get(self.path.partition("?")[0], ("text/plain", b""))
                self.send_response(200 if content else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                if server.policy:
                    self.send_header("Content-Security-Policy", server.policy)
                with contextlib.suppress(ConnectionError):  # the browser may be gone already
                    self.end_headers()
                    self.wfile.write(content)

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                server.reports.append(json.loads(self.rfile.read(length)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing; what matters is in `reports`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextlib.contextmanager
def page_server() -> Generator[PageServer]:
    """Run a page server on its own port, and so on its own origin."""
    server = PageServer()
    try:
        yield server
    finally:
        server.close()


class Chromium:
    """A running browser; `console()` is what pages and Chromium itself logged."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._process = process
        self._log = log

    def console(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if "CONSOLE" in line)

    def wait_for(self, reported: Any, *, seconds: float = 60) -> None:
        """Wait until `reported()`; AssertionError with the pages' console otherwise."""
        try:
            wait_until(
                lambda: reported() or self._process.poll() is not None,
                what="the page reports",
                seconds=seconds,
            )
        except AssertionError as silence:
            raise AssertionError(f"{silence}\n{self.console()}") from None
        assert reported(), f"Chromium ended:\n{self._log.read_text(errors='replace')}"


@contextlib.contextmanager
def chromium(url: str) -> Generator[Chromium]:
    """Open `url` in a fresh browser with a profile of its own."""
    found = program("chromium")
    with tempfile.TemporaryDirectory(prefix="ocgate-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        log = folder / "log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [found, *FLAGS, f"--user-data-dir={folder / 'profile'}", url],
                env={**os.environ, "HOME": name, "XDG_RUNTIME_DIR": name},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        try:
            yield Chromium(process, log)
        finally:
            # its helpers are in the session that was started for it, and in no other
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
