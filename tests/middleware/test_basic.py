import asyncio
import base64
import logging
import os
from typing import Any

import bcrypt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocgate.core.errors import ConfigError
from ocgate.core.identity import CHALLENGES, PRINCIPAL, REJECTION, Account, Principal, Rejection
from ocgate.directory.passwords import decoy_hash, password_matches
from ocgate_middleware import basic
from ocgate_middleware.basic import BasicAuthMiddleware
from tests.support.asgi import Upstream, call, http

ALAN = Account("4c510ada", "alan")
MARY = Account("058bff95", "mary", enabled=False)


class Users:
    """Two users; `hashes` may be changed while the middleware runs."""

    def __init__(self) -> None:
        self.hashes = {
            "alan": bcrypt.hashpw(b"geheim", bcrypt.gensalt(4)),
            "mary": bcrypt.hashpw(b"secret", bcrypt.gensalt(4)),
        }

    async def find_by_name(self, name: str, /) -> Account | None:
        return {"alan": ALAN, "mary": MARY}.get(name.lower())

    def password_hash(self, name: str, /) -> bytes:
        return self.hashes.get(name.lower()) or decoy_hash(self.hashes["alan"], name)


class Checks:
    """Counts what bcrypt is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hashes: list[bytes] = []

        def check(password: bytes, password_hash: bytes) -> bool:
            self.hashes.append(password_hash)
            return password_matches(password, password_hash)

        monkeypatch.setattr(basic, "password_matches", check)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Checks:
    return Checks(monkeypatch)


def authorization(name: str, password: str) -> tuple[bytes, bytes]:
    return b"authorization", b"Basic " + base64.b64encode(f"{name}:{password}".encode())


async def ask(
    gate: BasicAuthMiddleware, name: str, password: str, address: str = "192.0.2.7"
) -> Principal | Rejection | None:
    scope = http(headers=[authorization(name, password)], client=(address, 1))
    return await gate.authenticate(scope)


async def test_the_right_password_lets_in_and_does_not_travel_further() -> None:
    upstream = Upstream()
    gate = BasicAuthMiddleware(upstream, users=Users())
    await call(gate, http(headers=[authorization("alan", "geheim"), (b"accept", b"*/*")]))
    [seen] = upstream.scopes
    assert seen[PRINCIPAL] == Principal(ALAN, "basic")
    assert seen["headers"] == [(b"host", b"files.example.org"), (b"accept", b"*/*")]


async def test_the_wrong_user_does_not_come_in_with_somebody_elses_password() -> None:
    gate = BasicAuthMiddleware(Upstream(), users=Users())
    assert await ask(gate, "alan", "geheim") == Principal(ALAN, "basic")
    assert await ask(gate, "mary", "geheim") == Rejection("wrong_password", "mary")
    assert await ask(gate, "nobody", "geheim") == Rejection("unknown_user", "nobody")
    assert await ask(gate, "", "geheim") == Rejection("unknown_user", "")


async def test_a_disabled_user_is_refused_with_the_right_password(checks: Checks) -> None:
    users = Users()
    gate = BasicAuthMiddleware(Upstream(), users=users)
    assert await ask(gate, "mary", "secret") == Rejection("disabled", "mary")
    assert await ask(gate, "mary", "secret") == Rejection("disabled", "mary")
    assert checks.hashes == [users.hashes["mary"]]


@pytest.mark.parametrize(
    ("name", "password"),
    [("alan", "wrong"), ("nobody", "geheim"), ("mary", "secret"), ("alan", "x" * 73), ("alan", "")],
)
async def test_every_refusal_costs_one_check_of_the_same_price(
    name: str, password: str, checks: Checks
) -> None:
    gate = BasicAuthMiddleware(Upstream(), users=Users())
    assert isinstance(await ask(gate, name, password), Rejection)
    assert [stored[:7] for stored in checks.hashes] == [b"$2b$04$"]


async def test_a_refused_request_passes_with_a_rejection_and_the_challenge() -> None:
    upstream = Upstream()
    gate = BasicAuthMiddleware(upstream, users=Users(), realm="files")
    await call(gate, http(headers=[authorization("alan", "wrong")]))
    [seen] = upstream.scopes
    assert PRINCIPAL not in seen
    assert seen[REJECTION] == Rejection("wrong_password", "alan")
    assert seen[CHALLENGES] == (b'Basic realm="files", charset="UTF-8"',)


async def test_other_schemes_and_nobody_pass_as_they_came() -> None:
    upstream = Upstream()
    gate = BasicAuthMiddleware(upstream, users=Users())
    bearer = (b"authorization", b"Bearer abc")
    await call(gate, http())
    await call(gate, http(headers=[bearer]))
    assert [REJECTION in seen for seen in upstream.scopes] == [False, False]
    assert bearer in upstream.scopes[1]["headers"]


async def test_two_credentials_are_malformed() -> None:
    gate = BasicAuthMiddleware(Upstream(), users=Users())
    both = [authorization("alan", "geheim"), authorization("mary", "secret")]
    assert await gate.authenticate(http(headers=both)) == Rejection("malformed")
    assert await gate.authenticate(http(headers=both[:1])) == Principal(ALAN, "basic")


async def test_a_password_is_checked_once_and_remembered(checks: Checks) -> None:
    gate = BasicAuthMiddleware(Upstream(), users=Users())
    for _ in range(5):
        assert isinstance(await ask(gate, "alan", "geheim"), Principal)
        assert isinstance(await ask(gate, "alan", "wrong"), Rejection)
    assert len(checks.hashes) == 2


async def test_requests_at_the_same_moment_share_one_check(checks: Checks) -> None:
    gate = BasicAuthMiddleware(Upstream(), users=Users())
    found = await asyncio.gather(*(ask(gate, "alan", "geheim") for _ in range(20)))
    assert found == [Principal(ALAN, "basic")] * 20
    assert len(checks.hashes) == 1


async def test_a_changed_password_counts_at_once(checks: Checks) -> None:
    users = Users()
    gate = BasicAuthMiddleware(Upstream(), users=users)
    assert isinstance(await ask(gate, "alan", "geheim"), Principal)
    users.hashes["alan"] = bcrypt.hashpw(b"different", bcrypt.gensalt(4))
    assert isinstance(await ask(gate, "alan", "geheim"), Rejection)
    assert isinstance(await ask(gate, "alan", "different"), Principal)
    assert len(checks.hashes) == 3


async def test_who_fails_too_often_is_refused_without_a_check(checks: Checks) -> None:
    gate = BasicAuthMiddleware(Upstream(), users=Users(), failures_per_client=3)
    for n in range(3):
        assert await ask(gate, f"user{n}", "x") == Rejection("unknown_user", f"user{n}")
    assert await ask(gate, "alan", "geheim") == Rejection("limited", "alan")
    assert len(checks.hashes) == 3
    assert isinstance(await ask(gate, "alan", "geheim", "192.0.2.8"), Principal)


async def test_a_burst_of_guesses_gets_no_more_checks_than_one_after_the_other(
    checks: Checks,
) -> None:
    gate = BasicAuthMiddleware(Upstream(), users=Users(), failures_per_account=3)
    guesses = (ask(gate, "alan", f"guess{n}", f"192.0.2.{n}") for n in range(50))
    found = await asyncio.gather(*guesses)
    assert found.count(Rejection("limited", "alan")) >= 50 - len(checks.hashes)
    # Those that run at the same moment cannot know of each other.
    assert 3 <= len(checks.hashes) < 3 + (os.cpu_count() or 1)


async def test_all_spellings_of_a_name_have_one_limit() -> None:
    gate = BasicAuthMiddleware(Upstream(), users=Users(), failures_per_account=3)
    for name in ("\u00e4nne", "a\u0308nne", "\u00c4nne"):
        assert await ask(gate, name, name) == Rejection("unknown_user", name)
    assert await ask(gate, "A\u0308NNE", "guess") == Rejection("limited", "A\u0308NNE")
    assert await ask(gate, "anne", "guess") == Rejection("unknown_user", "anne")


@pytest.mark.parametrize("name", ["alan", "nobody"])
async def test_an_account_is_limited_whether_it_exists_or_not(name: str) -> None:
    gate = BasicAuthMiddleware(Upstream(), users=Users(), failures_per_account=3)
    for n in range(3):
        found = await ask(gate, name, f"guess{n}", f"192.0.2.{n}")
        assert isinstance(found, Rejection)
        assert found.reason != "limited"
    spelt = name.upper()
    assert await ask(gate, spelt, "guess", "192.0.2.9") == Rejection("limited", spelt)


async def test_nobody_locks_a_user_out_by_failing_in_his_name() -> None:
    gate = BasicAuthMiddleware(
        Upstream(), users=Users(), remember=0, failures_per_account=2, failures_per_client=2
    )
    assert isinstance(await ask(gate, "alan", "geheim"), Principal)
    for n in range(4):
        assert isinstance(await ask(gate, "alan", f"guess{n}"), Rejection)
    assert await ask(gate, "alan", "guess") == Rejection("limited", "alan")
    assert isinstance(await ask(gate, "alan", "geheim"), Principal)


async def test_a_refusal_is_logged_for_fail2ban_and_without_the_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = BasicAuthMiddleware(Upstream(), users=Users())
    with caplog.at_level(logging.ERROR, "ocgate.auth"):
        await call(gate, http(headers=[authorization("alan", "not-the-password")]))
    [record] = caplog.records
    fields: dict[str, Any] = vars(record)["fields"]
    assert fields["authenticator"] == "basic"
    assert fields["reason"] == "wrong_password"
    assert fields["user"] == "alan"
    assert fields["client.address"] == "192.0.2.7"
    assert "not-the-password" not in repr(vars(record))


@pytest.mark.parametrize("realm", ['a"b', "a\\b", "ä", "a\nb"])
def test_a_realm_that_cannot_be_quoted_is_refused(realm: str) -> None:
    with pytest.raises(ConfigError):
        BasicAuthMiddleware(Upstream(), users=Users(), realm=realm)


@pytest.mark.parametrize(
    "options", [{"remember": -1}, {"failures_per_client": 0}, {"failures_per_account": 0}]
)
def test_options_without_a_meaning_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        BasicAuthMiddleware(Upstream(), users=Users(), **options)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=st.binary(max_size=60) | st.binary(max_size=60).map(base64.b64encode))
async def test_any_header_is_refused_and_none_is_an_error(value: bytes) -> None:
    upstream = Upstream()
    gate = BasicAuthMiddleware(upstream, users=Users())
    answered = await call(gate, http(headers=[(b"authorization", b"Basic " + value)]))
    assert answered.status == 200, "the upstream decides about it"
    assert isinstance(upstream.scopes[0][REJECTION], Rejection)


async def test_other_scopes_pass() -> None:
    upstream = Upstream()
    await call(BasicAuthMiddleware(upstream, users=Users()), {"type": "lifespan"})
    assert upstream.scopes == [{"type": "lifespan"}]
