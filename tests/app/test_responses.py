import httpx

from tests.app.conftest import ALAN, gate_of

PAGE = "https://app.example.org"
KEY = "/ocs/v2.php/cloud/user/signing-key"


def preflight(origin: str) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }


def allowed(answer: httpx.Response) -> str | None:
    value: str | None = answer.headers.get("access-control-allow-origin")
    return value


async def test_without_an_allow_list_backends_answer_for_themselves(
    environ: dict[str, str],
) -> None:
    async with gate_of(environ) as (_, client):
        assert (await client.options("/file", headers=preflight(PAGE))).status_code == 401
        own = await client.options(KEY, headers=preflight(PAGE))
    assert own.status_code == 204
    assert allowed(own) == "*"


async def test_with_one_its_pages_may_read_answers_and_errors(environ: dict[str, str]) -> None:
    environ["OC_CORS_ALLOW_ORIGINS"] = PAGE
    async with gate_of(environ) as (_, client):
        for target in ("/file", KEY):
            assert allowed(await client.options(target, headers=preflight(PAGE))) == PAGE
            evil = await client.options(target, headers=preflight("https://evil.example"))
            assert (evil.status_code, allowed(evil)) == (204, None)
            assert allowed(await client.get(target, headers={"Origin": PAGE})) == PAGE
            assert allowed(await client.get(target, auth=ALAN, headers={"Origin": PAGE})) == PAGE


async def test_the_policy_may_be_tried_before_it_counts(environ: dict[str, str]) -> None:
    environ["OCGATE_CSP_REPORT_ONLY"] = "true"
    async with gate_of(environ) as (_, client):
        answer = await client.get("/")
    assert "content-security-policy" not in answer.headers
    assert "default-src 'none'" in answer.headers["content-security-policy-report-only"]


async def test_a_header_that_is_set_to_nothing_is_not_sent(environ: dict[str, str]) -> None:
    environ["OCGATE_X_FRAME_OPTIONS"] = ""
    async with gate_of(environ) as (_, client):
        answer = await client.get("/")
    assert "x-frame-options" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
