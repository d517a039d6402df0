import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate_middleware.identify import LOG_FIELDS
from ocgate_middleware.request_id import REQUEST_ID, RequestIdMiddleware
from tests.support.asgi import Header, Upstream, call, http

NAME = b"x-request-id"


async def asked(headers: list[Header]) -> str:
    """Return the id, after it was found to be the same everywhere."""
    upstream = Upstream(headers=[(b"X-Request-Id", b"of-the-backend"), (b"etag", b"x")])
    line: dict[str, object] = {}
    answered = await call(
        RequestIdMiddleware(upstream), http(headers=headers, more={LOG_FIELDS: line})
    )
    [seen] = upstream.scopes
    request_id = str(seen[REQUEST_ID])
    assert answered.headers == [(b"etag", b"x"), (NAME, request_id.encode())]
    assert [value for name, value in seen["headers"] if name == NAME] == [request_id.encode()]
    assert line == {"request-id": request_id}
    return request_id


@pytest.mark.parametrize(
    "given_id",
    ["my-id-1", "vm/B2gLuOn3dy-000894", "a" * 128, "1d5f2c30-8f7e-4d1b-9f0e-0a1b2c3d4e5f"],
)
async def test_a_clients_id_is_kept(given_id: str) -> None:
    assert await asked([(NAME, given_id.encode())]) == given_id


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(NAME, b"")],
        [(NAME, b"a" * 129)],
        [(NAME, b"<script>")],
        [(NAME, b"a b")],
        [(NAME, b"a\n")],
        [(NAME, b"\xff")],
        [(NAME, b"one"), (NAME, b"two")],
    ],
)
async def test_any_other_id_is_replaced(headers: list[Header]) -> None:
    request_id = await asked(headers)
    assert 8 < len(request_id) <= 128
    assert request_id.encode() not in [value for _, value in headers]


async def test_every_request_has_its_own() -> None:
    upstream = Upstream()
    gate = RequestIdMiddleware(upstream)
    for _ in range(50):
        await call(gate, http())
    await call(RequestIdMiddleware(upstream), http())
    assert len({seen[REQUEST_ID] for seen in upstream.scopes}) == 51


@given(st.binary(max_size=200))
async def test_what_is_sent_back_is_always_safe(value: bytes) -> None:
    request_id = await asked([(NAME, value)])
    assert request_id.isascii()
    assert request_id.isprintable()
    assert 0 < len(request_id) <= 128


async def test_other_scopes_pass() -> None:
    upstream = Upstream()
    await call(RequestIdMiddleware(upstream), {"type": "lifespan"})
    assert upstream.scopes == [{"type": "lifespan"}]
