import itertools
from pathlib import Path

import pytest

from tests.app.conftest import ALAN, gate_of
from tests.support.recorder import Recorder

SIGNING_KEY = "/ocs/v2.php/cloud/user/signing-key?format=json"


async def test_a_known_user_reaches_the_backend_and_it_learns_who_asks(
    environ: dict[str, str], recorder: Recorder
) -> None:
    async with gate_of(environ) as (_, client):
        answer = await client.get("/a%20file?x=1", auth=ALAN, headers={"X-Remote-User": "mary"})
    assert (answer.status_code, answer.content) == (200, b"recorded")
    seen = recorder.everything()
    assert seen.startswith(b"GET /a%20file?x=1 HTTP/1.1\r\n")
    assert b"x-remote-user: alan\r\n" in seen
    assert b"mary" not in seen
    assert b"authorization" not in seen.lower()


SWITCHES = ("PROXY_ENABLE_BASIC_AUTH", "PROXY_ENABLE_PRESIGNEDURLS", "OCGATE_USERS_FILE")


@pytest.mark.parametrize("off", list(itertools.product((False, True), repeat=3)))
async def test_no_combination_of_options_leaves_the_backend_open(
    environ: dict[str, str], recorder: Recorder, off: tuple[bool, ...]
) -> None:
    for name, is_off in zip(SWITCHES, off, strict=True):
        if is_off:
            environ[name] = "" if name == "OCGATE_USERS_FILE" else "false"
    async with gate_of(environ) as (_, client):
        for target in ("/", "/secret", "/x?OC-Signature=00", "/.well-known/x", SIGNING_KEY):
            for method in ("GET", "PUT", "PROPFIND", "OPTIONS"):
                answer = await client.request(method, target)
                assert answer.status_code == 401, (method, target)
    assert recorder.everything() == b""


async def test_a_gate_that_nobody_can_pass_says_so(
    environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async with gate_of(environ):
        assert "nobody" not in caplog.text
    del environ["OCGATE_USERS_FILE"]
    async with gate_of(environ):
        assert "nobody can log in" in caplog.text


async def test_an_unprotected_route_is_open_and_others_are_not(
    environ: dict[str, str], recorder: Recorder, tmp_path: Path
) -> None:
    del environ["OCGATE_UPSTREAM"]
    (tmp_path / "proxy.yaml").write_text(
        f"""
policies:
  - name: default
    routes:
      - endpoint: /public
        backend: {recorder.origin}
        unprotected: true
      - endpoint: /
        backend: {recorder.origin}
"""
    )
    async with gate_of(environ) as (_, client):
        assert (await client.get("/public/page")).status_code == 200
        assert (await client.get("/publicity")).status_code == 401
        assert (await client.get("/public/..%2fsecret")).status_code == 400
        assert (await client.get("/private", auth=ALAN)).status_code == 200


async def test_the_signing_key_is_ours_and_the_rest_of_ocs_is_an_envelope(
    environ: dict[str, str], recorder: Recorder
) -> None:
    async with gate_of(environ) as (_, client):
        key = await client.get(SIGNING_KEY, auth=ALAN)
        nothing = await client.get("/ocs/v1.php/cloud/nope?format=json", auth=ALAN)
        assert (await client.get("/ocs/v3.php/x", auth=ALAN)).content == b"recorded"
    assert len(key.json()["ocs"]["data"]["signing-key"]) == 128
    assert nothing.json()["ocs"]["meta"]["statuscode"] == 998
    assert b"signing-key" not in recorder.everything()


async def test_without_the_ocs_service_its_paths_go_to_the_backend(
    environ: dict[str, str], recorder: Recorder
) -> None:
    environ["OC_RUN_SERVICES"] = "proxy"
    async with gate_of(environ) as (_, client):
        assert (await client.get(SIGNING_KEY, auth=ALAN)).content == b"recorded"


async def test_without_the_proxy_service_there_is_no_backend(
    environ: dict[str, str], recorder: Recorder
) -> None:
    environ["OC_RUN_SERVICES"] = "ocs"
    async with gate_of(environ) as (_, client):
        assert (await client.get(SIGNING_KEY, auth=ALAN)).status_code == 200
        assert (await client.get("/file", auth=ALAN)).status_code == 404
    assert recorder.everything() == b""


@pytest.mark.parametrize("target", ["/", "/a/%2e%2e/b", SIGNING_KEY])
async def test_every_answer_has_the_headers_of_the_house_once(
    environ: dict[str, str], recorder: Recorder, target: str
) -> None:
    async with gate_of(environ) as (_, client):
        for auth in (None, ALAN):
            answer = await client.get(target, auth=auth)
            for name in ("content-security-policy", "x-content-type-options", "x-request-id"):
                assert len(answer.headers.get_list(name)) == 1, (target, auth, name)


async def test_readiness_asks_the_store(environ: dict[str, str]) -> None:
    async with gate_of(environ) as (gate, _):
        await gate.checks["signing-keys-store"]()


async def test_metrics_count_what_was_asked(environ: dict[str, str], recorder: Recorder) -> None:
    async with gate_of(environ) as (gate, client):
        await client.get("/", auth=ALAN)
        await client.get("/")
        page = gate.metrics.render().decode()
    assert 'ocgate_http_requests_total{code="200",method="GET"} 1.0' in page
    assert 'ocgate_http_requests_total{code="401",method="GET"} 1.0' in page
