"""curl with presigned URLs: down, up, in parts, from a pipe; and the gate's memory meanwhile."""

import hashlib
import random
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.support.backends import Backend
from tests.support.gate import Gate
from tests.support.processes import peak_memory
from tests.support.programs import program

MIB = 1024 * 1024
CONTENT = random.Random(3).randbytes(3 * MIB + 17)


def curl(*arguments: str | Path, stdin: Iterable[bytes] = ()) -> tuple[str, bytes]:
    """Run curl, feed it a stream, and return what it wrote to stdout and the response heads."""
    argv = [program("curl"), "--silent", "--show-error", "--globoff", "--max-time", "300"]
    with subprocess.Popen(
        [*argv, "--dump-header", "/dev/stderr", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        for block in stdin:
            process.stdin.write(block)
        body, head = process.communicate()
    assert process.returncode == 0, head.decode()
    return head.decode(), body


def stream(mebibytes: int) -> Iterator[bytes]:
    """Yield blocks of 1 MiB, each different, so that lost or swapped ones change the hash."""
    noise = random.Random(5).randbytes(MIB - 8)
    for number in range(mebibytes):
        yield number.to_bytes(8, "big") + noise


def digest(blocks: Iterator[bytes]) -> str:
    total = hashlib.sha256()
    for block in blocks:
        total.update(block)
    return total.hexdigest()


def digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture
def stored(apache: Backend) -> Path:
    file = apache.files / "some file [1].bin"
    file.write_bytes(CONTENT)
    return file


STORED = "/some%20file%20%5B1%5D.bin"


def test_a_presigned_url_downloads_without_any_other_credential(gate: Gate, stored: Path) -> None:
    head, body = curl(gate.presigned("GET", STORED))
    assert head.startswith("HTTP/1.1 200 ")
    assert body == CONTENT
    head, body = curl(gate.presigned("GET", STORED).replace("%5B1%5D", "%5B2%5D"))
    assert head.startswith("HTTP/1.1 401 ")
    assert body == b""


def test_a_presigned_url_serves_parts(gate: Gate, stored: Path) -> None:
    url = gate.presigned("GET", STORED)
    head, body = curl("--range", "1000-70000", url)
    assert head.startswith("HTTP/1.1 206 ")
    assert f"content-range: bytes 1000-70000/{len(CONTENT)}" in head.lower()
    assert body == CONTENT[1000:70001]
    _, body = curl("--range", "-17", url)
    assert body == CONTENT[-17:]
    head, _ = curl("--range", f"{len(CONTENT)}-", url)
    assert head.startswith("HTTP/1.1 416 ")


def test_curl_continues_a_download_that_broke_off(gate: Gate, stored: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    half.write_bytes(CONTENT[: MIB + 1])
    curl("--continue-at", "-", "--output", half, gate.presigned("GET", STORED))
    assert half.read_bytes() == CONTENT


def test_head_has_the_length_and_no_body(gate: Gate, stored: Path) -> None:
    head, body = curl("--head", gate.presigned("HEAD", STORED))
    assert head.startswith("HTTP/1.1 200 ")
    assert f"content-length: {len(CONTENT)}" in head.lower()
    assert body.decode() == head or body == b""  # curl prints the head itself with --head
    head, _ = curl("--head", gate.presigned("PUT", STORED))
    assert head.startswith("HTTP/1.1 401 ")


@pytest.mark.parametrize("framing", ["chunked", "content-length"])
@pytest.mark.parametrize("mebibytes", [32, pytest.param(1024, marks=pytest.mark.slow)])
def test_an_upload_from_a_pipe_arrives_whole_in_flat_memory(
    gate: Gate, apache: Backend, framing: str, mebibytes: int
) -> None:
    path = f"/from%20a%20pipe-{framing}.bin"
    file = apache.files / f"from a pipe-{framing}.bin"
    options = ["--upload-file", "-"]
    if framing == "content-length":
        options += ["--header", "Transfer-Encoding:"]
        options += ["--header", f"Content-Length: {mebibytes * MIB}"]
    url = gate.presigned("PUT", path)
    curl(*options[:2], url, stdin=[b"small"])
    before = peak_memory(gate.pid)
    head, _ = curl(*options, url, stdin=stream(mebibytes))
    assert "\nHTTP/1.1 204 " in "\n" + head.split("\r\n\r\n")[-2]
    assert file.stat().st_size == mebibytes * MIB
    assert digest_of_file(file) == digest(stream(mebibytes))
    assert peak_memory(gate.pid) - before < 24 * MIB

    total = hashlib.sha256()
    with subprocess.Popen(
        [program("curl"), "--silent", "--globoff", gate.presigned("GET", path)],
        stdout=subprocess.PIPE,
    ) as download:
        assert download.stdout is not None
        while block := download.stdout.read(MIB):
            total.update(block)
    assert total.hexdigest() == digest(stream(mebibytes))
    assert peak_memory(gate.pid) - before < 24 * MIB
    file.unlink()
