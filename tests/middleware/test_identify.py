import logging
from collections.abc import Mapping
from typing import Any

import pytest

from ocgate.core.identity import (
    CHALLENGES,
    PRINCIPAL,
    REJECTION,
    Account,
    Outcome,
    Principal,
    Rejection,
)
from ocgate_middleware.identify import LOG_FIELDS, identified

ALAN = Principal(Account("4c510ada", "alan"), "test")


class Says:
    """An authenticator that always says the same."""

    name = "says"
    challenge = b'Says realm="x"'

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.asked = 0

    async def authenticate(self, scope: Mapping[str, Any], /) -> Outcome:
        self.asked += 1
        return self.outcome


def scope(**more: object) -> dict[str, Any]:
    return {"type": "http", "path": "/a", "client": ("192.0.2.7", 1), **more}


async def test_an_accepted_credential_puts_the_principal_in_the_scope() -> None:
    line: dict[str, object] = {}
    found = await identified(scope(**{LOG_FIELDS: line}), Says(ALAN))
    assert found[PRINCIPAL] is ALAN
    assert CHALLENGES not in found
    assert line == {"user": "alan", "authenticator": "says"}


async def test_nobody_gets_the_challenge() -> None:
    found = await identified(scope(), Says(None))
    assert PRINCIPAL not in found
    assert REJECTION not in found
    assert found[CHALLENGES] == (b'Says realm="x"',)


async def test_a_refusal_is_logged_with_its_reason_and_the_client(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR, "ocgate.auth"):
        found = await identified(scope(), Says(Rejection("expired", "alan")))
    assert found[REJECTION] == Rejection("expired", "alan")
    (written,) = caplog.records
    fields = written.__dict__["fields"]
    assert fields["reason"] == "expired"
    assert fields["client.address"] == "192.0.2.7"


async def test_after_a_refusal_nobody_else_looks() -> None:
    refused = await identified(scope(), Says(Rejection("expired", "alan")))
    second = Says(ALAN)
    found = await identified(refused, second)
    assert second.asked == 0
    assert PRINCIPAL not in found
    assert len(found[CHALLENGES]) == 2


async def test_after_an_acceptance_nobody_else_looks() -> None:
    accepted = await identified(scope(), Says(ALAN))
    second = Says(Rejection("expired"))
    assert (await identified(accepted, second))[PRINCIPAL] is ALAN
    assert second.asked == 0


async def test_a_lifespan_passes_untouched() -> None:
    lifespan = {"type": "lifespan"}
    assert await identified(lifespan, Says(ALAN)) is lifespan
