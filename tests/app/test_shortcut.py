from pathlib import Path

import bcrypt
import httpx
import pytest

from ocgate.app import shortcut
from ocgate.directory.users_file import LocalUsers
from tests.app.conftest import ALAN, gate_of
from tests.support.recorder import Recorder

MARY = ("mary", "another")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were looked up in the users file: each is one look of the whole stack."""
    asked: list[str] = []
    look = LocalUsers.password_hash

    def counted(users: LocalUsers, name: str, /) -> bytes:
        asked.append(name)
        return look(users, name)

    monkeypatch.setattr(LocalUsers, "password_hash", counted)
    return asked


def add_mary(environ: dict[str, str]) -> None:
    digest = bcrypt.hashpw(MARY[1].encode(), bcrypt.gensalt(4)).decode()
    with Path(environ["OCGATE_USERS_FILE"]).open("a") as users:
        users.write(f"{MARY[0]}:{digest}\n")


def added(answer: httpx.Response) -> list[tuple[str, str]]:
    return sorted((n, v) for n, v in answer.headers.multi_items() if n != "x-request-id")


async def test_equal_fields_are_judged_once_and_answered_alike(
    environ: dict[str, str], recorder: Recorder, looks: list[str]
) -> None:
    async with gate_of(environ) as (gate, client):
        first = await client.get("/one", auth=ALAN)
        before = len(looks)
        second = await client.get("/two?x=1", auth=ALAN)
        assert len(looks) == before
        page = gate.metrics.render().decode()
    assert (second.status_code, second.content) == (200, b"recorded")
    assert added(first) == added(second)
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert len(second.headers.get_list("x-request-id")) == 1
    sent = recorder.everything()
    assert sent.count(b"x-remote-user: alan\r\n") == 2
    assert b"GET /two?x=1 HTTP/1.1\r\n" in sent
    assert b"authorization" not in sent.lower()
    assert f"x-request-id: {second.headers['x-request-id']}\r\n".encode() in sent
    assert 'ocgate_http_requests_total{code="200",method="GET"} 2.0' in page
    assert 'ocgate_auth_total{reason="",result="accepted",scheme="basic"} 2.0' in page


async def test_nobody_is_taken_for_somebody_else(
    environ: dict[str, str], recorder: Recorder
) -> None:
    add_mary(environ)
    async with gate_of(environ) as (_, client):
        for _ in range(2):
            for user in (ALAN, MARY):
                recorder.clear()
                assert (await client.get("/file", auth=user)).status_code == 200
                assert f"x-remote-user: {user[0]}\r\n".encode() in recorder.everything()
            assert (await client.get("/file", auth=("alan", "wrong"))).status_code == 401
            assert (await client.get("/file")).status_code == 401


@pytest.mark.parametrize("target", ["/a/%2e%2e/b", "/a%2fb", "/%zz"])
async def test_the_target_is_looked_at_each_time(environ: dict[str, str], target: str) -> None:
    async with gate_of(environ) as (_, client):
        assert (await client.get("/good", auth=ALAN)).status_code == 200
        request = client.build_request("GET", "http://gate/x", headers={"Accept": "*/*"})
        request.url = request.url.copy_with(raw_path=target.encode())
        assert (await client.send(request, auth=ALAN)).status_code == 400
        assert (await client.get("/good", auth=ALAN)).status_code == 200


async def test_own_routes_and_presigned_urls_go_through_the_stack(
    environ: dict[str, str], looks: list[str]
) -> None:
    async with gate_of(environ) as (_, client):
        await client.get("/file", auth=ALAN)
        before = len(looks)
        key = await client.get("/ocs/v2.php/cloud/user/signing-key", auth=ALAN)
        assert key.headers["ocs-api-version"] == "2"
        assert len(looks) > before
        forged = await client.get("/file?OC-Signature=" + "0" * 64, auth=ALAN)
        assert forged.status_code == 401


async def test_what_our_own_routes_add_is_not_added_elsewhere(environ: dict[str, str]) -> None:
    async with gate_of(environ) as (_, client):
        key = await client.get("/ocs/v2.php/cloud/user/signing-key", auth=ALAN)
        file = await client.get("/file", auth=ALAN)
        again = await client.get("/file", auth=ALAN)
    assert key.headers["vary"] == "Origin"
    assert "vary" not in file.headers
    assert added(file) == added(again)


@pytest.mark.parametrize("field", ["Origin", "X-Request-Id", "Destination", "Content-Length"])
async def test_a_request_with_a_special_field_goes_through_the_stack(
    environ: dict[str, str], looks: list[str], field: str
) -> None:
    value = {"Origin": "https://a.example", "Destination": "http://gate/b"}.get(field, "0")
    async with gate_of(environ) as (_, client):
        await client.get("/file", auth=ALAN, headers={field: value})
        before = len(looks)
        await client.get("/file", auth=ALAN, headers={field: value})
        assert len(looks) > before


async def test_what_is_known_is_forgotten_after_its_second(
    environ: dict[str, str], looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortcut, "SECONDS", 0.0)
    async with gate_of(environ) as (_, client):
        await client.get("/file", auth=ALAN)
        before = len(looks)
        await client.get("/file", auth=ALAN)
        assert len(looks) > before


async def test_a_backend_that_fails_is_the_same_clear_answer(
    environ: dict[str, str], recorder: Recorder
) -> None:
    async with gate_of(environ) as (gate, client):
        assert (await client.get("/file", auth=ALAN)).status_code == 200
        recorder.close()
        down = await client.get("/file", auth=ALAN)
        page = gate.metrics.render().decode()
    assert down.status_code == 502
    assert down.headers.get_list("x-content-type-options") == ["nosniff"]
    assert len(down.headers.get_list("x-request-id")) == 1
    assert 'ocgate_http_requests_total{code="502",method="GET"} 1.0' in page


async def test_an_answer_that_has_such_headers_itself_gets_them_once(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = b"X-Frame-Options: DENY\r\nX-Request-Id: b\r\nContent-Length: 2\r\n"
    body = b"HTTP/1.1 200 OK\r\n" + fields + b"\r\nok"
    monkeypatch.setattr("tests.support.recorder.ANSWER", body)
    async with gate_of(environ) as (_, client):
        first = await client.get("/file", auth=ALAN)
        second = await client.get("/file", auth=ALAN)
    assert added(first) == added(second)
    assert second.headers.get_list("x-frame-options") == ["SAMEORIGIN"]
    assert second.headers.get_list("x-request-id") != ["b"]
    assert len(second.headers.get_list("x-request-id")) == 1


@pytest.mark.parametrize("trusted", ["", "127.0.0.0/8"])
async def test_forwarded_headers_count_from_the_trusted_alone(
    environ: dict[str, str], recorder: Recorder, trusted: str
) -> None:
    environ["OCGATE_TRUSTED_PROXIES"] = trusted
    async with gate_of(environ) as (_, client):
        for address in ("192.0.2.7", "192.0.2.7", "192.0.2.8"):
            recorder.clear()
            headers = {"X-Forwarded-For": address, "X-Forwarded-Proto": "https"}
            answer = await client.get("/file", auth=ALAN, headers=headers)
            told = b"x-forwarded-for: " + (address if trusted else "127.0.0.1").encode()
            assert told + b"\r\n" in recorder.everything()
            assert ("strict-transport-security" in answer.headers) is bool(trusted)
