from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.app.dispatch import ENDPOINT, Dispatch, to_endpoint
from ocgate.core.errors import NotFound
from ocgate.core.routing import Route, Router
from ocgate.core.targets import TARGET, parse_target
from tests.support.asgi import http

FILES = Route("/", backend=("http://127.0.0.1:1",))
PUBLIC = Route("/public", backend=("http://127.0.0.1:1",), unprotected=True)
FAMILY = Route("/ocs/", backend=("http://127.0.0.1:2",))


class Calls:
    """Notes which app was called, and through which way."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def app(self, name: str) -> ASGIApp:
        async def called(scope: Scope, receive: Receive, send: Send) -> None:
            self.log.append(name)

        return called

    async def protected(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.log.append("protected")
        await to_endpoint(scope, receive, send)


async def way(target: str, *routes: Route, ocs: bool = True) -> list[str]:
    calls = Calls()
    dispatch = Dispatch(
        calls.protected,
        Router(routes),
        lambda route: calls.app(route.endpoint),
        ocs=calls.app("ocs") if ocs else None,
    )
    scope: dict[str, Any] = {**http("GET", target)}
    scope[TARGET] = parse_target(scope["raw_path"], scope["query_string"])

    async def unused(*_: object) -> Any:
        raise AssertionError

    await dispatch(scope, unused, unused)
    assert ENDPOINT not in scope
    return calls.log


async def test_a_protected_route_goes_through_the_authenticators() -> None:
    assert await way("/file", FILES, PUBLIC) == ["protected", "/"]


async def test_an_unprotected_one_goes_past_them() -> None:
    assert await way("/public/page", FILES, PUBLIC) == ["/public"]


@pytest.mark.parametrize("version", ["v1.php", "v2.php"])
async def test_the_signing_key_is_ours_whatever_the_routes_say(version: str) -> None:
    target = f"/ocs/{version}/cloud/user/signing-key"
    assert await way(target, FILES, FAMILY) == ["protected", "ocs"]
    assert await way(target) == ["protected", "ocs"]
    assert await way(target, FILES, FAMILY, ocs=False) == ["protected", "/ocs/"]


async def test_the_rest_of_ocs_is_the_familys_where_a_route_leads_there() -> None:
    target = "/ocs/v1.php/cloud/capabilities"
    assert await way(target, FILES) == ["protected", "ocs"]
    assert await way(target, FILES, FAMILY) == ["protected", "/ocs/"]


async def test_no_route_is_not_found() -> None:
    with pytest.raises(NotFound):
        await way("/elsewhere", PUBLIC)
    assert await way("/public", PUBLIC) == ["/public"]
