"""The servers that are measured, all in front of one nginx that serves files."""

import contextlib
import os
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import bcrypt
from tests.support.processes import child, listening, reserved_port
from tests.support.programs import find

from benchmarks.pinning import pinned

USER, PASSWORD = "alan", "demo"


@dataclass(frozen=True, slots=True)
class Peer:
    """A running server under test."""

    name: str
    port: int
    pid: int

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


Start = Callable[[Path, int, str], contextlib.AbstractContextManager[Peer]]


@contextlib.contextmanager
def file_server(folder: Path) -> Generator[str]:
    """Run the nginx that holds the files and takes uploads; yields its origin."""
    files = folder / "files"
    files.mkdir()
    (files / "1k").write_bytes(b"k" * 1024)
    with (files / "100m").open("wb") as big:
        for _ in range(100):
            big.write(b"m" * (1 << 20))
    with _nginx(
        folder,
        "backend",
        f"""root {files};
            client_max_body_size 0;
            client_body_buffer_size 256k;
            dav_methods PUT DELETE;
            sendfile on;
            tcp_nopush on;""",
        tested=False,
    ) as (port, _):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def nginx_proxy(folder: Path, port: int, backend: str) -> Generator[Peer]:
    """nginx with its default buffers, streaming both ways, keeping its connections alive."""
    with _nginx(
        folder,
        "proxy",
        """client_max_body_size 0;
           location / {
               proxy_pass http://backend;
               proxy_http_version 1.1;
               proxy_set_header Connection "";
               proxy_request_buffering off;
               proxy_max_temp_file_size 0;
           }""",
        tested=True,
        port=port,
        upstream=backend,
    ) as (_, pid):
        yield Peer("nginx proxy", port, pid)


@contextlib.contextmanager
def caddy_proxy(folder: Path, port: int, backend: str) -> Generator[Peer]:
    """Caddy's reverse_proxy."""
    with _caddy(folder, port, f"reverse_proxy {backend}", "proxy") as pid:
        yield Peer("caddy reverse_proxy", port, pid)


@contextlib.contextmanager
def caddy_forward_auth(folder: Path, port: int, backend: str) -> Generator[Peer]:
    """Caddy that asks a small Python service (hash and look-up) about every request."""
    with reserved_port() as verify_port:
        argv = [sys.executable, "-m", "uvicorn", "benchmarks.verify:app", "--log-level", "error"]
        argv += ["--port", str(verify_port)]
        with child(
            pinned(argv, tested=True),
            output=folder / "verify.log",
            ready=lambda: listening(verify_port),
        ):
            rule = (
                f"forward_auth 127.0.0.1:{verify_port} {{\n uri /verify\n"
                f" copy_headers X-User\n }}\n reverse_proxy {backend}"
            )
            with _caddy(folder, port, rule, "auth") as pid:
                yield Peer("caddy forward_auth", port, pid)


@contextlib.contextmanager
def fastapi_proxy_lib(folder: Path, port: int, backend: str) -> Generator[Peer]:
    """The best known reverse proxy for ASGI that is built on httpx."""
    argv = [sys.executable, "-m", "benchmarks.fastapi_proxy", str(port), f"http://{backend}/"]
    with child(
        pinned(argv, tested=True), output=folder / "fpl.log", ready=lambda: listening(port)
    ) as process:
        yield Peer("fastapi-proxy-lib", port, process.pid)


@contextlib.contextmanager
def ocgate(folder: Path, port: int, backend: str) -> Generator[Peer]:
    """The whole gate: authentication on, every middleware in place, default log level."""
    data = folder / "ocgate"
    data.mkdir()
    digest = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(11)).decode()
    (data / "users.htpasswd").write_text(f"{USER}:{digest}\n")
    with reserved_port() as debug_port:
        env = {
            **os.environ,
            "PROXY_HTTP_ADDR": f"127.0.0.1:{port}",
            "PROXY_DEBUG_ADDR": f"127.0.0.1:{debug_port}",
            "OC_URL": f"http://127.0.0.1:{port}",
            "OC_BASE_DATA_PATH": str(data),
            "OCGATE_UPSTREAM": f"http://{backend}",
            "PROXY_ENABLE_BASIC_AUTH": "true",
            "OCGATE_USERS_FILE": str(data / "users.htpasswd"),
        }
        argv = [sys.executable, "-m", "ocgate", "serve"]
        with child(
            pinned(argv, tested=True),
            output=folder / "ocgate.log",
            ready=lambda: listening(port),
            env=env,
        ) as process:
            yield Peer("ocgate", port, process.pid)


@contextlib.contextmanager
def _nginx(
    folder: Path, name: str, server: str, *, tested: bool, port: int = 0, upstream: str = ""
) -> Generator[tuple[int, int]]:
    program = find("nginx")
    assert program is not None
    with contextlib.ExitStack() as stack:
        port = port or stack.enter_context(reserved_port())
        home = folder / f"nginx-{name}"
        home.mkdir()
        pool = f"upstream backend {{ server {upstream}; keepalive 128; }}" if upstream else ""
        config = home / "nginx.conf"
        config.write_text(
            f"""
            user root;
            daemon off;
            worker_processes 1;
            pid {home}/pid;
            error_log {home}/error.log warn;
            events {{ worker_connections 4096; }}
            http {{
                access_log off;
                keepalive_requests 10000000;
                client_body_temp_path {home}/body;
                proxy_temp_path {home}/proxy;
                fastcgi_temp_path {home}/fastcgi;
                uwsgi_temp_path {home}/uwsgi;
                scgi_temp_path {home}/scgi;
                {pool}
                server {{ listen 127.0.0.1:{port} backlog=4096; {server} }}
            }}
            """
        )
        argv = [program, "-e", f"{home}/error.log", "-p", str(home), "-c", str(config)]
        process = stack.enter_context(
            child(
                pinned(argv, tested=tested), output=home / "output", ready=lambda: listening(port)
            )
        )
        yield port, process.pid


@contextlib.contextmanager
def _caddy(folder: Path, port: int, rule: str, name: str) -> Generator[int]:
    program = find("caddy")
    assert program is not None
    home = folder / f"caddy-{name}"
    home.mkdir()
    config = home / "Caddyfile"
    config.write_text(
        f"{{\n admin off\n auto_https off\n}}\nhttp://127.0.0.1:{port} {{\n {rule}\n}}\n"
    )
    # GOMAXPROCS=1: one worker each
    env = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home), "GOMAXPROCS": "1"}
    argv = [program, "run", "--config", str(config), "--adapter", "caddyfile"]
    with child(
        pinned(argv, tested=True), output=home / "output", ready=lambda: listening(port), env=env
    ) as process:
        yield process.pid


PEERS: dict[str, tuple[str, Start]] = {
    "ocgate": ("", ocgate),
    "caddy reverse_proxy": ("caddy", caddy_proxy),
    "caddy forward_auth": ("caddy", caddy_forward_auth),
    "nginx proxy": ("nginx", nginx_proxy),
    "fastapi-proxy-lib": ("", fastapi_proxy_lib),
}
"""Name -> (program that has to be installed, how to start it)."""
