"""The whole thing on one machine: `make run`.

A WebDAV server with sample files, the gate in front of it, two users, and the curl lines to
try it with. Everything it makes is below `.demo/`, so that `make clean` removes it. Ends with
Ctrl-C.
"""

import base64
import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path

import bcrypt

HOME = Path(__file__).resolve().parent.parent / ".demo"
PASSWORD = "demo"
USERS = {"alan": "Alan Turing", "mary": "Mary Kenneth Keller"}
ADDRESS = os.environ.get("PROXY_HTTP_ADDR", "127.0.0.1:9200")
DEBUG_ADDRESS = os.environ.get("PROXY_DEBUG_ADDR", "127.0.0.1:9205")
ORIGIN = f"http://{ADDRESS}"


def main() -> int:
    """Start both servers, print what can be done, wait for Ctrl-C."""
    for name, address in {"PROXY_HTTP_ADDR": ADDRESS, "PROXY_DEBUG_ADDR": DEBUG_ADDRESS}.items():
        if is_taken(address):
            print(
                f"Somebody else listens on {address}. Another one: make run {name}=127.0.0.1:9300"
            )
            return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    files = sample_files()
    environment = settings()
    with contextlib.ExitStack() as stack:
        backend = stack.enter_context(webdav_server(files))
        environment["OCGATE_UPSTREAM"] = backend
        gate = stack.enter_context(
            process([sys.executable, "-m", "ocgate", "serve"], env=environment)
        )
        if not answers(gate, f"{ORIGIN}/"):
            print(f"The gate did not start on {ADDRESS}; what it said stands above.")
            return 1
        explain(environment, backend, files)
        with contextlib.suppress(KeyboardInterrupt):
            return gate.wait()
    return 0


def is_taken(address: str) -> bool:
    """Say whether another server has that address: its answers would be taken for the gate's."""
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def sample_files() -> Path:
    """Make a folder with something to look at."""
    files = HOME / "files"
    (files / "Photos").mkdir(parents=True, exist_ok=True)
    (files / "welcome.txt").write_text("It works: this file came through the gate.\n")
    (files / "Photos" / "list & more [1].md").write_text("# Names with awkward characters work\n")
    return files


def settings() -> dict[str, str]:
    """Return the environment of the gate: what an operator would put in an env file."""
    users = HOME / "users.yaml"
    if not users.exists():
        digest = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(11)).decode()
        entries = [
            {"name": name, "display_name": shown, "password_hash": digest}
            for name, shown in USERS.items()
        ]
        users.write_text(json.dumps({"users": entries}, indent=2))  # JSON is YAML, too
        users.chmod(0o600)
    return {
        **os.environ,
        "PROXY_HTTP_ADDR": ADDRESS,
        "OC_URL": ORIGIN,
        "OC_BASE_DATA_PATH": str(HOME / "data"),
        "PROXY_ENABLE_BASIC_AUTH": "true",
        "OCGATE_USERS_FILE": str(users),
    }


@contextlib.contextmanager
def webdav_server(files: Path) -> Generator[str]:
    """Run wsgidav on a free port, open to this machine; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [sys.executable, "-m", "wsgidav.server.server_cli", "--no-config", "-qqq"]
    argv += ["--host=127.0.0.1", f"--port={port}", f"--root={files}"]
    argv += ["--auth=anonymous", "--server=cheroot"]
    with process(argv, env=dict(os.environ)) as server:
        if not answers(server, f"http://127.0.0.1:{port}/"):
            raise SystemExit("wsgidav did not start")
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def process(argv: list[str], *, env: dict[str, str]) -> Generator[subprocess.Popen[bytes]]:
    """Run a child and end it politely."""
    child = subprocess.Popen(argv, env=env, start_new_session=True)
    try:
        yield child
    finally:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(15)
        child.kill()


def answers(child: subprocess.Popen[bytes], url: str) -> bool:
    """Wait until the address answers anything at all."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and child.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.1)
        else:
            return True
    return False


def explain(environment: dict[str, str], backend: str, files: Path) -> None:
    """Print who may come in and how."""
    # the first visit hands out the signing key, as it does to a client
    request = urllib.request.Request(f"{ORIGIN}/ocs/v2.php/cloud/user/signing-key?format=json")
    credential = base64.b64encode(f"alan:{PASSWORD}".encode()).decode()
    request.add_header("Authorization", f"Basic {credential}")
    urllib.request.urlopen(request, timeout=10).close()

    def sign(method: str, path: str) -> str:
        argv = [sys.executable, "-m", "ocgate", "sign-url", "--user", "alan"]
        argv += ["--method", method, "--expires", "1h", ORIGIN + path]
        done = subprocess.run(argv, env=environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    users = ", ".join(f"{name} (password {PASSWORD})" for name in USERS)
    print(
        f"""
ocgate stands on {ORIGIN}
  in front of     {backend}  (wsgidav, files in {files})
  users           {users}

Without a credential nobody comes in:
  curl -i {ORIGIN}/welcome.txt

With a password, as a WebDAV client does it:
  curl -u alan:{PASSWORD} {ORIGIN}/welcome.txt
  curl -u alan:{PASSWORD} -X PROPFIND -H 'Depth: 1' {ORIGIN}/

With a presigned download URL, which works for an hour and for this file only:
  curl '{sign("GET", "/welcome.txt")}'

With a presigned upload URL:
  echo hello | curl -T - '{sign("PUT", "/upload.txt")}'

The signing key that such URLs are made with:
  curl -u alan:{PASSWORD} '{ORIGIN}/ocs/v2.php/cloud/user/signing-key?format=json'

Ctrl-C ends both servers.
""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
