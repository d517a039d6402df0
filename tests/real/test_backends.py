"""nginx and wsgidav behind the gate: two more servers that know nothing of it."""

from collections.abc import Generator
from dataclasses import dataclass

import pytest

from tests.support import backends
from tests.support.asking import Answer
from tests.support.backends import Backend
from tests.support.gate import Gate, running_gate

CONTENT = bytes(range(256)) * 40
BACKENDS = {"apache": backends.apache, "nginx": backends.nginx, "wsgidav": backends.wsgidav}


@dataclass(frozen=True, slots=True)
class Pair:
    """A gate and the server behind it."""

    gate: Gate
    backend: Backend


@pytest.fixture(scope="module", params=list(BACKENDS))
def pair(request: pytest.FixtureRequest) -> Generator[Pair]:
    with BACKENDS[request.param]() as backend, running_gate(backend.origin) as gate:
        yield Pair(gate, backend)


def told(answer: Answer) -> dict[str, str]:
    """Return the headers that describe the file, to be the same on both ways."""
    kept = ("content-type", "content-length", "accept-ranges", "etag", "last-modified", "allow")
    return {name: value for name in kept if (value := answer.header(name)) is not None}


def test_a_presigned_download_is_the_file_and_what_the_server_tells_of_it(pair: Pair) -> None:
    (pair.backend.files / "größe $1.bin").write_bytes(CONTENT)
    path = "/gr%C3%B6%C3%9Fe%20$1.bin"
    answer = pair.gate.ask_presigned("GET", path)
    assert (answer.status, answer.body) == (200, CONTENT)
    assert told(answer) == told(pair.backend.ask("GET", path))
    head = pair.gate.ask_presigned("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert told(head) == told(pair.backend.ask("HEAD", path))
    refused = pair.gate.ask("GET", path, auth=None)
    assert (refused.status, refused.body) == (401, b"")


def test_a_presigned_upload_lands_on_the_disk(pair: Pair) -> None:
    bodies: dict[str, bytes | list[bytes]] = {
        "whole": CONTENT,
        "in chunks": [CONTENT[:300], CONTENT[300:]],
    }
    for name, body in bodies.items():
        answer = pair.gate.ask_presigned("PUT", f"/{name.replace(' ', '%20')}.bin", body=body)
        assert answer.status in (200, 201, 204), answer
        assert (pair.backend.files / f"{name}.bin").read_bytes() == CONTENT
    refused = pair.gate.ask("PUT", "/refused.bin", body=CONTENT, auth=None)
    assert refused.status == 401
    assert not (pair.backend.files / "refused.bin").exists()


def test_a_part_and_an_unchanged_file_are_the_servers_answers(pair: Pair) -> None:
    (pair.backend.files / "ranged.bin").write_bytes(CONTENT)
    part = pair.gate.ask_presigned("GET", "/ranged.bin", headers={"Range": "bytes=256-511"})
    assert (part.status, part.body) == (206, bytes(range(256)))
    assert part.header("Content-Range") == f"bytes 256-511/{len(CONTENT)}"
    etag = pair.gate.ask_presigned("GET", "/ranged.bin").header("ETag")
    assert etag
    same = pair.gate.ask_presigned("GET", "/ranged.bin", headers={"If-None-Match": etag})
    assert (same.status, same.body) == (304, b"")
    other = pair.gate.ask_presigned("GET", "/ranged.bin", headers={"If-None-Match": '"other"'})
    assert (other.status, other.body) == (200, CONTENT)


def test_what_is_not_there_is_the_servers_404(pair: Pair) -> None:
    answer = pair.gate.ask_presigned("GET", "/nowhere/to%20be.found")
    direct = pair.backend.ask("GET", "/nowhere/to%20be.found")
    assert answer.status == direct.status == 404
    assert told(answer) == told(direct)


def test_propfind_with_a_password_is_the_servers_answer(pair: Pair) -> None:
    (pair.backend.files / "listed.txt").write_text("listed")
    answer = pair.gate.ask("PROPFIND", "/listed.txt", headers={"Depth": "0"})
    direct = pair.backend.ask("PROPFIND", "/listed.txt", headers={"Depth": "0"})
    assert answer.status == direct.status
    assert answer.status == (405 if pair.backend.name == "nginx" else 207)
    assert answer.body.replace(b" ", b"") == direct.body.replace(b" ", b"")
    assert told(answer) == told(direct)
    refused = pair.gate.ask("PROPFIND", "/listed.txt", headers={"Depth": "0"}, auth=None)
    assert refused.status == 401
    assert b"d:error" in refused.body


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("spelling", ["absolute URI", "absolute path"])
def test_copy_and_move_name_their_destination_in_the_servers_terms(
    pair: Pair, method: str, spelling: str
) -> None:
    source = pair.backend.files / "source é.txt"
    source.write_bytes(CONTENT)
    destination = f"/{method}%20%C3%A9%20{spelling.replace(' ', '%20')}.txt"
    prefix = pair.gate.origin if spelling == "absolute URI" else ""
    answer = pair.gate.ask(
        method,
        "/source%20%C3%A9.txt",
        headers={"Destination": prefix + destination},
    )
    assert answer.status in (201, 204), answer
    assert (pair.backend.files / f"{method} é {spelling}.txt").read_bytes() == CONTENT
    assert source.exists() == (method == "COPY")
    location = answer.header("Location")
    assert location is None or location.startswith((pair.gate.origin + "/", "/"))
