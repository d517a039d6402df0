"""The relay in front of a real nginx, and its memory while many clients are slow."""

import asyncio
import hashlib
import os
import socket
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.backends import Backend, nginx
from tests.support.processes import child, listening, reserved_port
from tests.support.served import client, served
from tests.upstream.relaying import gate, request

pytestmark = pytest.mark.real

SIZE = 8_000_000
MIB = 1 << 20


@pytest.fixture(scope="module")
def backend() -> Generator[Backend]:
    with nginx() as running:
        (running.files / "file").write_bytes(os.urandom(SIZE))
        yield running


@pytest.fixture(scope="module")
def port(backend: Backend) -> Generator[int]:
    with served(gate(backend.origin)) as number:
        yield number


async def test_a_file_comes_whole_in_ranges_and_as_a_head(backend: Backend, port: int) -> None:
    content = (backend.files / "file").read_bytes()
    async with client(port) as browser:
        head, body = await browser.ask(request(target=b"/file"))
        assert hashlib.sha256(body).digest() == hashlib.sha256(content).digest()
        assert head["accept-ranges"] == "bytes"
        ranged = await browser.ask(request(b"Range: bytes=1000-1999", target=b"/file"))
        assert (ranged[0].status, ranged[1]) == (206, content[1000:2000])
        assert ranged[0]["content-range"] == f"bytes 1000-1999/{SIZE}"
        several = await browser.ask(request(b"Range: bytes=0-0,9-9", target=b"/file"))
        assert several[0].status == 206
        assert (several[0]["content-type"] or "").startswith("multipart/byteranges")
        await browser.send(request(method=b"HEAD", target=b"/file"))
        assert (await browser.head())["content-length"] == str(SIZE)
        beyond = await browser.ask(request(b"Range: bytes=99999999-", target=b"/file"))
        assert beyond[0].status == 416
        same = request(b"If-None-Match: " + str(head["etag"]).encode(), target=b"/file")
        await browser.send(same)
        assert (await browser.head()).status == 304
        assert (await browser.ask(request(target=b"/missing")))[0].status == 404


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_upload_arrives_byte_for_byte(backend: Backend, port: int, chunked: bool) -> None:
    body = os.urandom(SIZE)
    sent = request(b"content-length: %d" % SIZE, method=b"PUT", target=b"/up", body=body)
    if chunked:
        sent = request(b"transfer-encoding: chunked", method=b"PUT", target=b"/up")
        sent += b"%x\r\n" % SIZE + body + b"\r\n0\r\n\r\n"
    async with client(port) as browser:
        head, _ = await browser.ask(sent)
        assert head.status in (201, 204)
    assert (backend.files / "up").read_bytes() == body


async def test_move_finds_its_destination(backend: Backend, port: int) -> None:
    (backend.files / "from").write_bytes(b"moved")
    async with client(port) as browser:
        head, _ = await browser.ask(
            request(b"Destination: http://gate.example/to", method=b"MOVE", target=b"/from")
        )
        assert head.status in (201, 204)
    assert (backend.files / "to").read_bytes() == b"moved"


SERVER = """
import sys, uvicorn
from tests.upstream.relaying import gate
uvicorn.run(gate(sys.argv[1]), port=int(sys.argv[2]), http="httptools", loop="uvloop", ws="none",
            access_log=False, log_level="critical")
"""


def resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(pid)


async def test_memory_stays_flat_while_fifty_clients_are_slow(
    backend: Backend, tmp_path: Path
) -> None:
    with (backend.files / "long").open("wb") as file:
        file.truncate(100 * MIB)
    with reserved_port() as number:
        argv = [sys.executable, "-c", SERVER, backend.origin, str(number)]
        with child(argv, output=tmp_path / "output", ready=lambda: listening(number)) as server:
            async with client(number) as browser:
                await browser.ask(request(target=b"/file"))
            before = resident(server.pid)
            loop = asyncio.get_running_loop()
            slow: list[socket.socket] = []
            try:
                for _ in range(50):
                    one = socket.socket()
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
                    one.setblocking(False)  # noqa: FBT003
                    await loop.sock_connect(one, ("127.0.0.1", number))
                    await loop.sock_sendall(one, request(target=b"/long"))
                    slow.append(one)
                highest = 0
                for _ in range(10):
                    for one in slow:
                        assert await loop.sock_recv(one, 65536)
                    await asyncio.sleep(0.1)
                    highest = max(highest, resident(server.pid))
            finally:
                for one in slow:
                    one.close()
    assert highest - before < 64 * MIB
