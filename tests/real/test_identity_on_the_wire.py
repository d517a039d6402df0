"""The way in, asked by curl and by raw sockets, with password files of the real tools."""

import asyncio
import json
import logging
import socket
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.core.identity import principal_of
from ocgate.directory.passwords import password_matches
from ocgate.directory.users_file import load_users
from ocgate.server.limits import Limits
from ocgate.server.logs import JSONFormatter
from ocgate.server.protocol import with_limits
from ocgate_middleware.access_log import AccessLogMiddleware
from ocgate_middleware.basic import BasicAuthMiddleware
from ocgate_middleware.errors import ErrorMiddleware
from ocgate_middleware.forwarded import ForwardedMiddleware
from ocgate_middleware.request_id import RequestIdMiddleware
from ocgate_middleware.require_principal import RequirePrincipalMiddleware
from ocgate_middleware.strip_identity import StripIdentityMiddleware
from tests.support.programs import program

pytestmark = pytest.mark.real

SERVERS: list[Any] = ["httptools", "h11", with_limits(Limits())]
UPLOAD = 2 * 1024 * 1024


async def whoami(scope: Scope, receive: Receive, send: Send) -> None:
    """Say who is asking, after the whole body was read."""
    size = 0
    more = True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    names = sorted(name.decode() for name, _ in scope["headers"])
    said = {"user": principal_of(scope).account.name, "size": size, "headers": names}
    body = json.dumps(said).encode()
    head = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users.htpasswd"
    path.write_text("jürgen:" + bcrypt.hashpw("gehöim:".encode(), bcrypt.gensalt(4)).decode())
    return path


def stack(users: Path) -> ASGIApp:
    app: ASGIApp = RequirePrincipalMiddleware(whoami)
    app = BasicAuthMiddleware(app, users=load_users(users))
    app = StripIdentityMiddleware(app)
    app = ErrorMiddleware(app)
    app = RequestIdMiddleware(app)
    app = AccessLogMiddleware(app)
    return ForwardedMiddleware(app, trusted=["127.0.0.0/8"])


@asynccontextmanager
async def serving(app: ASGIApp, protocol: Any) -> AsyncGenerator[int]:
    config = uvicorn.Config(app, http=protocol, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        running = asyncio.create_task(server._serve([listener]))
        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await running


async def curl(port: int, *arguments: str, path: str = "/a") -> tuple[list[str], str]:
    """Return the heads of all answers as lines, and the last body."""
    url = f"http://127.0.0.1:{port}{path}"
    child = await asyncio.create_subprocess_exec(
        program("curl"), "-sS", "-i", "--max-time", "20", *arguments, url,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    out, _ = await child.communicate()
    head, _, body = out.decode().rpartition("\r\n\r\n")
    return head.split("\r\n"), body


@pytest.mark.parametrize("protocol", SERVERS)
async def test_curl_comes_in_with_its_password_and_not_without(users: Path, protocol: Any) -> None:
    async with serving(stack(users), protocol) as port:
        head, body = await curl(port, "-u", "Jürgen:gehöim:", "-H", "X-Remote-User: root")
        assert head[0] == "HTTP/1.1 200 OK"
        said = json.loads(body)
        assert said["user"] == "jürgen"
        assert not {"authorization", "x-remote-user"} & set(said["headers"])
        for arguments in ((), ("-u", "jürgen:wrong"), ("-u", "nobody:gehöim:")):
            head, body = await curl(port, *arguments)
            assert head[0] == "HTTP/1.1 401 Unauthorized"
            assert 'www-authenticate: Basic realm="ocgate", charset="UTF-8"' in head
            assert body == ""


@pytest.mark.parametrize("protocol", SERVERS)
async def test_curl_finds_out_by_itself_that_basic_is_asked_for(users: Path, protocol: Any) -> None:
    async with serving(stack(users), protocol) as port:
        head, body = await curl(port, "--anyauth", "-u", "jürgen:gehöim:")
        assert [line for line in head if line.startswith("HTTP/")] == [
            "HTTP/1.1 401 Unauthorized",
            "HTTP/1.1 200 OK",
        ]
        assert json.loads(body)["user"] == "jürgen"


@pytest.mark.parametrize("protocol", SERVERS)
async def test_a_large_upload_without_a_password_is_answered_before_it_is_sent(
    users: Path, tmp_path: Path, protocol: Any
) -> None:
    file = tmp_path / "upload"
    file.write_bytes(b"x" * UPLOAD)
    async with serving(stack(users), protocol) as port:
        head, _ = await curl(port, "-H", "Expect: 100-continue", "-T", str(file))
        assert head[0] == "HTTP/1.1 401 Unauthorized"
        assert "connection: close" in [line.lower() for line in head]
        head, body = await curl(port, "-u", "jürgen:gehöim:", "-T", str(file))
        assert json.loads(body)["size"] == UPLOAD


@pytest.mark.parametrize("protocol", SERVERS)
async def test_a_small_body_does_not_become_the_next_request(users: Path, protocol: Any) -> None:
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    first = b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(smuggled) + smuggled
    last = b"GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    async with serving(stack(users), protocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(first + last)
        async with asyncio.timeout(10):
            answers = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answers.count(b"HTTP/1.1 401 ") == 2
    assert answers.count(b"HTTP/1.1 ") == 2


@pytest.mark.parametrize("protocol", SERVERS)
async def test_head_and_propfind_have_the_right_bodies(users: Path, protocol: Any) -> None:
    async with serving(stack(users), protocol) as port:
        head, body = await curl(port, "--head")
        assert head[0] == "HTTP/1.1 401 Unauthorized"
        assert body == ""
        head, body = await curl(port, "-X", "PROPFIND")
        assert "content-type: application/xml; charset=utf-8" in head
        assert '<d:error xmlns:d="DAV:"' in body


async def test_the_log_has_the_real_client_and_no_secret(
    users: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ocgate")
    async with serving(stack(users), "httptools") as port:
        forwarded = ("-H", "X-Forwarded-For: 6.6.6.6, 198.51.100.9")
        await curl(port, *forwarded, "-u", "jürgen:gehöim:", path="/a?OC-Signature=0a1b")
        await curl(port, *forwarded, "-u", "jürgen:wrong", path="/a?OC-Signature=0a1b")
    form = JSONFormatter(service="proxy", with_line=False)
    text = [form.format(record) for record in caplog.records if record.name.startswith("ocgate")]
    lines = [json.loads(line) for line in text]
    first, second = [line for line in lines if line["message"] == "access-log"]
    assert first["remote-addr"] == second["remote-addr"] == "198.51.100.9"
    assert (first["user"], first["status"], second["status"]) == ("jürgen", 200, 401)
    assert second["reason"] == "wrong_password"
    [refused] = [line for line in lines if line["message"] == "authentication failed"]
    assert refused["client.address"] == "198.51.100.9"
    for secret in ("gehöim", "geh\\u00f6im", "wrong:", "0a1b", "Basic "):
        assert secret not in "\n".join(text)


def test_hashes_of_htpasswd_are_read(tmp_path: Path) -> None:
    path = tmp_path / "users"
    command = [program("htpasswd"), "-cbB", "-C", "5", str(path), "alan", "geheim"]
    subprocess.run(command, check=True, capture_output=True)
    stored = load_users(path).password_hash("alan")
    assert stored.startswith(b"$2y$05$")
    assert password_matches(b"geheim", stored)
    assert not password_matches(b"Geheim", stored)


def test_hashes_of_caddy_are_read(tmp_path: Path) -> None:
    command = [program("caddy"), "hash-password", "--plaintext", "geheim"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    path = tmp_path / "users"
    path.write_text(f"alan:{done.stdout}")
    assert password_matches(b"geheim", load_users(path).password_hash("alan"))
