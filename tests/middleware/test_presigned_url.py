import asyncio
import hashlib
import json
import logging
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from ocgate.core.errors import ConfigError, StoreError
from ocgate.core.identity import PRINCIPAL, REJECTION, Account, Principal, Rejection
from ocgate.core.sign_url import sign_url
from ocgate.core.targets import TARGET, Target
from ocgate.stores.memory import MemoryStore
from ocgate.stores.signing_keys import SigningKeys
from ocgate_middleware.costly import FailureLimit
from ocgate_middleware.presigned_url import PresignedURLMiddleware

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "core" / "presigned.json").read_text(encoding="utf-8")
)["vectors"]
START = datetime(2025, 5, 22, 14, tzinfo=UTC)
ORIGIN = "https://cloud.example"
ALAN = Account("id-alan", "alan")
MARY = Account("id-mary", "mary")


class Directory:
    def __init__(self) -> None:
        self.accounts = {account.name: account for account in (ALAN, MARY)}
        self.lookups = 0

    async def find_by_name(self, name: str, /) -> Account | None:
        self.lookups += 1
        return self.accounts.get(name)

    async def find_by_id(self, account_id: str, /) -> Account | None:
        return next((a for a in self.accounts.values() if a.id == account_id), None)


class World:
    """The middleware in front of an app that records what reaches it, and one clock."""

    def __init__(self, **options: Any) -> None:
        self.now = START
        self.store = MemoryStore(shared=True)
        self.keys = SigningKeys(
            self.store,
            MemoryStore(shared=True),
            ttl=None,
            grace=timedelta(minutes=10),
            now=lambda: self.now,
            monotonic=self.seconds,
        )
        self.directory = Directory()
        self.inner: list[Scope] = []
        options.setdefault("public_origin", ORIGIN)
        self.app = PresignedURLMiddleware(
            self.received,
            keys=self.keys,
            accounts=self.directory,
            now=lambda: self.now,
            **options,
        )

    def seconds(self) -> float:
        return self.now.timestamp()

    async def received(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.inner.append(scope)

    async def signed(self, path: str = "/dav/k1.bin", **options: Any) -> str:
        key = await self.keys.find_or_create(options.pop("id", ALAN.id))
        defaults: dict[str, Any] = {"user": "alan", "method": "GET", "expires": 1200}
        origin = options.pop("origin", ORIGIN)
        return sign_url(origin + path, key=key, now=self.now, **{**defaults, **options})

    async def ask(self, url: str, **changes: Any) -> Scope:
        """Send the request for a URL and return the scope that reached the app."""
        await self.app(scope_of(url, **changes), nothing, nowhere)
        return self.inner[-1]

    async def outcome(self, url: str, **changes: Any) -> str:
        """Return the reason of the refusal, or the name of the user."""
        scope = await self.ask(url, **changes)
        if PRINCIPAL in scope:
            principal: Principal = scope[PRINCIPAL]
            assert principal.proven_by == "presigned_url"
            return f"user {principal.account.name}"
        rejection: Rejection | None = scope.get(REJECTION)
        return "nobody" if rejection is None else rejection.reason


def scope_of(url: str, **changes: Any) -> Scope:
    scheme, _, rest = url.partition("://")
    host, _, target = rest.partition("/")
    path, _, query = target.encode().partition(b"?")
    return {
        "type": "http",
        "method": "GET",
        "scheme": scheme,
        "path": "/" + path.decode(),
        "raw_path": b"/" + path,
        "query_string": query,
        "headers": [(b"accept", b"*/*"), (b"host", changes.pop("host", host).encode())],
        "client": ("192.0.2.7", 40000),
        **changes,
    }


async def nothing() -> Message:
    raise AssertionError("nobody reads the body")


async def nowhere(message: Message) -> None:
    raise AssertionError("an authenticator writes no response")


class Derivations:
    def __init__(self) -> None:
        self.count = 0
        self.threads: set[str] = set()


@pytest.fixture
def derivations(monkeypatch: pytest.MonkeyPatch) -> Iterator[Derivations]:
    seen = Derivations()
    real = hashlib.pbkdf2_hmac

    def counted(*args: Any) -> bytes:
        thread = threading.current_thread().name
        if thread != "MainThread":
            seen.count += 1
            seen.threads.add(thread)
        return real(*args)

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", counted)
    yield seen
    assert all(name.startswith("ocgate-costly") for name in seen.threads)


def tampered(url: str, digit: str = "f") -> str:
    return url[:-1] + (digit if url[-1] != digit else "0")


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
async def test_every_recorded_case_gets_its_answer(vector: dict[str, Any]) -> None:
    world = World(public_origin="https://localhost:9200")
    world.now = datetime.fromisoformat(vector["now"])
    await world.store.put(ALAN.id, vector["key"].encode())
    await world.keys.find_or_create(MARY.id)
    path, _, query = vector["target"].encode().partition(b"?")
    scope = scope_of("https://x/", host=vector["host"], method=vector["method"])
    scope["headers"] += [(k.lower().encode(), v.encode()) for k, v in vector["headers"].items()]
    await world.app({**scope, "raw_path": path, "query_string": query}, nothing, nowhere)
    accepted = PRINCIPAL in world.inner[-1]
    assert vector["ocgate"] in ("accept", "reject", "either")
    if vector["ocgate"] != "either":
        assert accepted == (vector["ocgate"] == "accept"), vector["why"]


async def test_the_parameters_of_the_signature_do_not_travel() -> None:
    world = World()
    url = await world.signed("/dav/%c3%bc$?b=%7e&&a=x%20y&OC-Other=1")
    path, _, query = url.removeprefix(ORIGIN).encode().partition(b"?")
    scope = await world.ask(url, **{TARGET: Target(path, query, b"/folded")})
    assert scope[PRINCIPAL] == Principal(ALAN, proven_by="presigned_url")
    assert scope["raw_path"] == b"/dav/%c3%bc$"
    assert scope["query_string"] == b"b=%7e&&a=x%20y&OC-Other=1"
    assert scope[TARGET] == Target(b"/dav/%c3%bc$", b"b=%7e&&a=x%20y&OC-Other=1", b"/folded")


async def test_no_header_makes_another_method_of_the_one_that_was_signed() -> None:
    world = World()
    url = await world.signed()
    kept = scope_of(url)["headers"]
    override = [(b"x-http-method-override", b"DELETE"), (b"x-method-override", b"DELETE")]
    scope = await world.ask(url, headers=[*kept, *override, (b"x-http-method", b"DELETE")])
    assert scope[PRINCIPAL] == Principal(ALAN, proven_by="presigned_url")
    assert scope["headers"] == kept
    refused = await world.ask(tampered(url), headers=[*kept, *override])
    assert refused["headers"] == [*kept, *override]


async def test_what_was_not_consumed_travels_as_it_came() -> None:
    world = World()
    url = await world.signed()
    query = url.encode().partition(b"?")[2]
    refused = await world.ask(tampered(url))
    assert PRINCIPAL not in refused
    assert refused["query_string"] == tampered(url).encode().partition(b"?")[2]
    mary = Principal(MARY, proven_by="basic")
    known = await world.ask(url, **{PRINCIPAL: mary})
    assert (known[PRINCIPAL], known["query_string"]) == (mary, query)
    plain = scope_of(ORIGIN + "/dav/k1.bin?OC-Verb=GET&xOC-Signature=1")
    await world.app(plain, nothing, nowhere)
    assert world.inner[-1] is plain
    lifespan: Scope = {"type": "lifespan"}
    await world.app(lifespan, nothing, nowhere)
    assert world.inner[-1] is lifespan


async def test_two_hundred_range_requests_cost_one_derivation(derivations: Derivations) -> None:
    world = World()
    url = await world.signed()
    derivations.count = 0
    together = await asyncio.gather(*(world.outcome(url) for _ in range(200)))
    after = [await world.outcome(url) for _ in range(200)]
    assert {*together, *after} == {"user alan"}
    assert derivations.count == 1


async def test_the_memory_does_not_outlive_the_url() -> None:
    world = World()
    url = await world.signed(expires=100)
    assert await world.outcome(url) == "user alan"
    world.now += timedelta(seconds=99)
    assert await world.outcome(url) == "user alan"
    world.now += timedelta(seconds=1)
    assert await world.outcome(url) == "expired"


async def test_the_memory_is_for_one_method_host_path_and_query() -> None:
    world = World()
    url = await world.signed()
    assert await world.outcome(url) == "user alan"
    assert await world.outcome(url, method="PUT") == "method_mismatch"
    assert await world.outcome(url.replace("k1", "k2")) == "signature_mismatch"
    assert await world.outcome(url + "&a=1") == "signature_mismatch"
    assert await world.outcome(url, host="evil.example") == "signature_mismatch"


async def test_the_account_is_looked_up_at_each_use() -> None:
    world = World()
    url = await world.signed()
    assert await world.outcome(url) == "user alan"
    world.directory.accounts["alan"] = Account(ALAN.id, "alan", enabled=False)
    assert await world.outcome(url) == "unknown_user"
    del world.directory.accounts["alan"]
    assert await world.outcome(url) == "unknown_user"
    world.directory.accounts["alan"] = ALAN
    assert await world.outcome(url) == "user alan"
    # The name belongs to somebody else, who has another key.
    world.directory.accounts["alan"] = Account("id-other", "alan")
    await world.keys.find_or_create("id-other")
    assert await world.outcome(url) == "signature_mismatch"


async def test_an_unknown_or_disabled_user_is_refused_before_any_derivation(
    derivations: Derivations,
) -> None:
    world = World()
    world.directory.accounts["mary"] = Account(MARY.id, "mary", enabled=False)
    for user in ("nobody", "mary"):
        assert await world.outcome(await world.signed(user=user)) == "unknown_user"
    assert derivations.count == 0


async def test_a_url_ends_with_its_key_after_the_grace_time() -> None:
    world = World()
    url = await world.signed()
    assert await world.outcome(url) == "user alan"
    await world.keys.rotate(ALAN.id)
    assert await world.outcome(url) == "user alan"
    world.now += timedelta(minutes=10)
    assert await world.outcome(url) == "signature_mismatch"
    assert await world.outcome(await world.signed()) == "user alan"


async def test_a_first_url_of_the_previous_key_is_accepted_in_its_grace_time() -> None:
    world = World()
    url = await world.signed("/dav/[$].bin")
    await world.keys.rotate(ALAN.id)
    assert await world.outcome(url.replace("$", "%24")) == "user alan"


async def test_a_key_made_elsewhere_within_this_second_counts_at_once() -> None:
    world = World()
    assert await world.outcome(await world.signed()) == "user alan"
    await world.store.put(ALAN.id, b"ab" * 64)
    url = sign_url(
        ORIGIN + "/f", user="alan", method="GET", expires=60, key=b"ab" * 64, now=world.now
    )
    assert await world.outcome(url) == "user alan"


@pytest.mark.parametrize("value", [None, b"", b"ab" * 31])
async def test_a_user_without_a_usable_key_is_refused(value: bytes | None) -> None:
    world = World()
    key = value or b""
    url = sign_url(ORIGIN + "/f", user="alan", method="GET", expires=60, key=key, now=START)
    if value is not None:
        await world.store.put(ALAN.id, value)
    assert await world.outcome(url) == "no_key"
    assert await world.outcome(await world.signed()) == "user alan"


async def test_each_reason_is_told_to_the_log_and_the_signature_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    url = await world.signed("/dav/secret-name.bin")
    with caplog.at_level(logging.DEBUG):
        assert await world.outcome(tampered(url)) == "signature_mismatch"
        assert await world.outcome(url.replace("1200", "x")) == "malformed"
        assert await world.outcome(url + "&OC-Verb=GET") == "malformed"
        assert await world.outcome(url, method="DELETE") == "method_mismatch"
        deleting = await world.signed(method="DELETE")
        assert await world.outcome(deleting, method="DELETE") == "method_not_allowed"
        world.now -= timedelta(minutes=2)
        assert await world.outcome(await world.signed()) == "user alan"
        early = await world.outcome(url + "&a=1")
        assert early == "not_yet_valid"
        world.now += timedelta(hours=1)
        assert await world.outcome(url) == "expired"
    fields = [record.__dict__["fields"] for record in caplog.records]
    assert [line["reason"] for line in fields] == [
        "signature_mismatch",
        "malformed",
        "malformed",
        "method_mismatch",
        "method_not_allowed",
        "not_yet_valid",
        "expired",
    ]
    written = json.dumps(fields) + caplog.text
    signature = url.rpartition("=")[2]
    assert signature[:-1] not in written
    assert "OC-" not in written


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"host": "127.0.0.1:9200"}, {}),
        ({"host": "127.0.0.1:9200", "scheme": "http"}, {}),
        ({"host": "cloud.example"}, {"public_origin": None}),
        ({"host": "cloud.example", "scheme": "http"}, {"public_origin": None}),
        ({"host": "cloud.example"}, {"public_origin": "https://other.example"}),
        (
            {"host": "gate.example", "ocgate.forwarded_origin": b"https://cloud.example"},
            {"public_origin": None},
        ),
        (
            {"host": "gate.example", "ocgate.forwarded_origin": b"https://x.example"},
            {"public_origin": "https://cloud.example/"},
        ),
    ],
)
async def test_the_origin_is_found(changes: dict[str, Any], options: dict[str, Any]) -> None:
    world = World(**options)
    url = await world.signed()
    assert await world.outcome(url, **changes) == "user alan"


async def test_a_plain_connection_may_be_signed_as_it_is_seen() -> None:
    world = World(public_origin=None)
    url = await world.signed(origin="http://127.0.0.1:9200")
    assert await world.outcome(url) == "user alan"
    assert await world.outcome(url, scheme="https") == "signature_mismatch"


async def test_an_absolute_form_is_signed_with_its_own_origin() -> None:
    world = World()
    url = await world.signed()
    key = "ocgate.target_origin"
    assert await world.outcome(url, **{key: b"https://cloud.example"}) == "user alan"
    assert await world.outcome(url, **{key: b"http://cloud.example"}) == "signature_mismatch"
    assert await world.outcome(url, **{key: b"https://evil.example"}) == "malformed"


async def test_a_websocket_is_a_get() -> None:
    world = World()
    url = await world.signed()
    scope = scope_of(url, type="websocket", scheme="ws", host="127.0.0.1:1")
    del scope["method"], scope["raw_path"]
    await world.app(scope, nothing, nowhere)
    assert world.inner[-1][PRINCIPAL].account == ALAN


@pytest.mark.parametrize(
    ("signed_path", "sent_path"),
    [
        ("/dav/a$b$", "/dav/a%24b%24"),
        ("/dav/a%24b%24", "/dav/a$b$"),
        ("/dav/[br].txt", "/dav/%5Bbr%5D.txt"),
        ("/dav/%5Bbr%5D.txt", "/dav/[br].txt"),
        ("/dav/$[x]", "/dav/%24%5Bx%5D"),
        ("/dav/%C3%BC'(1)+,;.txt", "/dav/%c3%bc%27%281%29%2B%2C%3B.txt"),
        ("/dav/a%2Cb%3Bc%40d", "/dav/a,b;c@d"),
    ],
)
async def test_what_a_proxy_did_to_the_path_is_repaired(signed_path: str, sent_path: str) -> None:
    world = World()
    url = await world.signed(signed_path)
    sent = url.replace(ORIGIN + signed_path, ORIGIN + sent_path)
    assert await world.outcome(sent) == "user alan"
    assert await world.outcome(sent.replace("/dav/", "/dav2/")) == "signature_mismatch"


async def test_the_form_that_fitted_last_is_tried_first(derivations: Derivations) -> None:
    world = World()
    counts: list[int] = []
    for name in ("one", "two"):
        url = (await world.signed(f"/dav/{name}$[x].bin")).replace("$[x]", "%24%5Bx%5D")
        derivations.count = 0
        assert await world.outcome(url) == "user alan"
        counts.append(derivations.count)
    assert counts[0] > counts[1] == 1


async def test_a_wrong_signature_costs_at_most_eight_derivations_and_then_none(
    derivations: Derivations,
) -> None:
    world = World()
    url = tampered(await world.signed("/dav/$[x]'%2B.bin"))
    await world.keys.rotate(ALAN.id)
    derivations.count = 0
    changes = {
        "host": "gate.local",
        "scheme": "http",
        "ocgate.forwarded_origin": b"https://f.example",
    }
    for _ in range(5):
        assert await world.outcome(url, **changes) == "signature_mismatch"
    assert derivations.count == 8
    await world.keys.rotate(ALAN.id)
    assert await world.outcome(url, **changes) == "signature_mismatch"
    assert derivations.count == 16


async def test_junk_is_limited_by_client_and_an_honest_url_is_not(
    derivations: Derivations,
) -> None:
    clock = [0.0]
    limit = FailureLimit(attempts=3, seconds=30, now=lambda: clock[0])
    world = World(client_failures=limit)
    verified, fresh = await world.signed("/verified"), await world.signed("/fresh")
    assert await world.outcome(verified) == "user alan"
    junk = [await world.signed(f"/junk{n}") for n in range(10)]
    derivations.count = 0
    outcomes = [await world.outcome(tampered(url)) for url in junk]
    assert outcomes == ["signature_mismatch"] * 3 + ["limited"] * 7
    assert derivations.count == 3
    assert await world.outcome(verified) == "user alan"
    assert await world.outcome(fresh) == "limited"
    assert await world.outcome(fresh, client=("192.0.2.8", 1)) == "user alan"
    clock[0] += 11
    assert await world.outcome(await world.signed("/later")) == "user alan"


async def test_a_burst_of_junk_costs_no_more_than_one_after_the_other(
    derivations: Derivations,
) -> None:
    world = World(client_failures=FailureLimit(attempts=3, seconds=300))
    junk = [tampered(await world.signed(f"/junk{n}")) for n in range(50)]
    derivations.count = 0
    outcomes = await asyncio.gather(*(world.outcome(url) for url in junk))
    assert set(outcomes) == {"signature_mismatch", "limited"}
    # Those that run at the same moment cannot know of each other.
    assert 3 <= derivations.count < 3 + (os.cpu_count() or 1)


async def test_the_name_in_a_log_line_is_bounded_and_all_its_spellings_have_one_limit() -> None:
    world = World(credential_failures=FailureLimit(attempts=2, seconds=300))
    long = await world.signed(user="x" * 4000)
    refused = await world.app.authenticate(scope_of(long))
    assert refused == Rejection("unknown_user", "x" * 255)
    for n, name in enumerate(("Zo\u00eb", "Zoe\u0308")):
        url = await world.signed(user=name)
        assert await world.outcome(url, client=(f"192.0.2.{n}", 1)) == "unknown_user"
    url = await world.signed(user="zo\u00eb")
    assert await world.outcome(url, client=("192.0.2.9", 1)) == "limited"


async def test_a_name_under_attack_is_limited_except_where_it_is_at_home() -> None:
    world = World(credential_failures=FailureLimit(attempts=5, seconds=300))
    at_home = {"client": ("198.51.100.1", 1)}
    assert await world.outcome(await world.signed("/first"), **at_home) == "user alan"
    for n in range(5):
        junk = tampered(await world.signed(f"/junk{n}"))
        assert await world.outcome(junk, client=(f"192.0.2.{n}", 1)) == "signature_mismatch"
    url = await world.signed("/second")
    assert await world.outcome(url, client=("192.0.2.99", 1)) == "limited"
    assert await world.outcome(url, **at_home) == "user alan"
    mary = await world.signed(user="mary", id=MARY.id)
    assert await world.outcome(mary, client=("192.0.2.99", 1)) == "user mary"


async def test_one_address_reaches_its_own_limit_before_that_of_the_name() -> None:
    world = World()
    for n in range(40):
        await world.outcome(tampered(await world.signed(f"/junk{n}")))
    url = await world.signed()
    assert await world.outcome(url) == "limited"
    assert await world.outcome(url, client=("192.0.2.99", 1)) == "user alan"


async def test_unknown_users_and_missing_keys_count_as_failures() -> None:
    world = World(client_failures=FailureLimit(attempts=2, seconds=300))
    url = sign_url(ORIGIN + "/f", user="alan", method="GET", expires=60, key=b"ab" * 64, now=START)
    assert await world.outcome(url) == "no_key"
    assert await world.outcome(await world.signed(user="nobody")) == "unknown_user"
    assert await world.outcome(await world.signed()) == "limited"


async def test_malformed_and_expired_urls_cost_nothing_and_are_not_counted() -> None:
    world = World(client_failures=FailureLimit(attempts=1, seconds=300))
    url = await world.signed()
    for wrong in (url.replace("1200", "0"), url + "&OC-Date=x", url.replace("2025", "2024")):
        assert await world.outcome(wrong) in ("malformed", "expired")
    assert world.directory.lookups == 0
    assert await world.outcome(url) == "user alan"


async def test_a_cancelled_first_request_does_not_break_the_others(
    derivations: Derivations,
) -> None:
    world = World()
    url = await world.signed()
    derivations.count = 0
    first = asyncio.create_task(world.outcome(url))
    second = asyncio.create_task(world.outcome(url))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "user alan"
    assert derivations.count == 1


async def test_a_store_that_is_down_is_no_refusal() -> None:
    class Down:
        async def find(self, user_id: str, *, fresh: bool = False) -> tuple[bytes, ...]:
            raise StoreError("The store does not answer.")

    world = World()
    url = await world.signed()
    world.app = PresignedURLMiddleware(
        world.received, keys=Down(), accounts=world.directory, now=lambda: world.now
    )
    with pytest.raises(StoreError):
        await world.outcome(url)
    assert world.inner == []


async def test_head_may_use_a_get_url_where_the_option_says_so() -> None:
    for allowed, outcome in ((True, "user alan"), (False, "method_mismatch")):
        world = World(head_as_get=allowed)
        assert await world.outcome(await world.signed(), method="HEAD") == outcome


async def test_the_longest_validity_is_an_option() -> None:
    world = World(max_expires=100)
    assert await world.outcome(await world.signed(expires=100)) == "user alan"
    assert await world.outcome(await world.signed(expires=101)) == "malformed"


@pytest.mark.parametrize(
    "options",
    [
        {"public_origin": "cloud.example"},
        {"public_origin": "ftp://cloud.example"},
        {"public_origin": "https://user@cloud.example"},
        {"allowed_methods": ()},
        {"max_expires": 0},
        {"leeway": -1},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    assert World(public_origin="HTTPS://cloud.example/path")
    with pytest.raises(ConfigError):
        World(**options)
