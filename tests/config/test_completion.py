from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ocgate.config.completion import complete_paths, completed, key_store, state_store, wrong_nodes
from ocgate.config.kinds import Secret
from ocgate.config.settings import Settings, Store
from ocgate.config.settings_credentials import Basic, SigningKeys, State
from ocgate.config.settings_door import Paths
from ocgate.config.settings_responses import CORS, CSP, OCSCors
from ocgate.config.sources import Sources
from ocgate.core.routing import Route

DATA = replace(Settings(), paths=Paths("/data", "/config"), routes=(Route("/", backend=("x",)),))


def complete(
    settings: Settings, environ: Mapping[str, str] | None = None, files: tuple[str, ...] = ()
) -> tuple[Settings, list[str], list[str]]:
    sources = Sources(environ or {}, dict.fromkeys(files, "").get)
    made = completed(settings, sources)
    return made, list(map(str, sources.mistakes)), list(map(str, sources.warnings))


def test_folders_are_those_of_the_home_directory_or_of_the_system() -> None:
    home = complete_paths(Paths(), {"HOME": "/home/ann"})
    assert home == Paths("/home/ann/.ocgate", "/home/ann/.ocgate/config")
    assert complete_paths(Paths(), {}) == Paths("/var/lib/ocgate", "/etc/ocgate")
    assert complete_paths(Paths("/d", "/c"), {"HOME": "/home/ann"}) == Paths("/d", "/c")


def test_paths_are_completed_from_the_data_folder() -> None:
    made, mistakes, warnings = complete(DATA)
    assert (mistakes, warnings) == ([], [])
    assert made.door.tls_cert == "/data/proxy/server.crt"
    assert made.store.path == "/data/ocgate.sqlite"
    assert made.csp.files == ()


def test_a_policy_in_the_data_folder_is_used_unless_another_is_named() -> None:
    beside = ("/data/proxy/csp.yaml",)
    assert complete(DATA, files=beside)[0].csp.files == beside
    named = replace(DATA, csp=CSP(files=("/etc/csp.yaml",)))
    assert complete(named, files=beside)[0].csp.files == ("/etc/csp.yaml",)


def test_keys_are_kept_with_the_state_unless_the_family_says_otherwise() -> None:
    store = state_store(State(kind="nats-js-kv", password=Secret("x")), Path("/data"))
    assert store.nodes == ("127.0.0.1:9233",)
    assert key_store(SigningKeys(), store) is store
    keys = key_store(SigningKeys(kind="ocisstoreservice", username="u"), store)
    assert keys.nodes == ("com.owncloud.api.store",)
    assert (keys.username, keys.password) == ("u", Secret())


@pytest.mark.parametrize(
    ("store", "wrong"),
    [
        (Store("redis-sentinel", ("10.10.0.200:26379/mymaster",)), ""),
        (Store("redis-sentinel", ("10.10.0.200:26379",)), "not of the form host:port/master"),
        (Store("redis-sentinel", ("a/b",)), "not of the form host:port/master"),
        (Store("redis-sentinel"), "needs nodes"),
        (Store("redis", ("127.0.0.1:6379",)), ""),
        (Store("redis"), "needs nodes"),
        (Store("nats-js-kv"), ""),
    ],
)
def test_nodes_have_the_form_of_their_store(store: Store, wrong: str) -> None:
    assert wrong in wrong_nodes(store)
    assert bool(wrong) == bool(wrong_nodes(store))


def test_wrong_nodes_are_a_mistake_once() -> None:
    made = replace(DATA, state=State(kind="redis"))
    assert complete(made)[1] == ["OCGATE_STORE_NODES: redis needs nodes"]
    keys = replace(DATA, signing_keys=SigningKeys(kind="redis-sentinel", nodes=("a",)))
    assert len(complete(keys)[1]) == 1


def test_a_variable_of_caches_that_sets_the_signing_keys_is_said() -> None:
    _, mistakes, warnings = complete(DATA, {"OCIS_CACHE_TTL": "10s", "OC_CACHE_STORE": "redis"})
    assert mistakes == []
    assert warnings == [
        (
            "OC_CACHE_STORE: counts for the signing keys too;"
            " OCS_PRESIGNEDURL_SIGNING_KEYS_STORE sets theirs"
        ),
        (
            "OCIS_CACHE_TTL: counts for the signing keys too;"
            " OCS_PRESIGNEDURL_SIGNING_KEYS_STORE_TTL sets theirs"
        ),
    ]
    _, mistakes, _ = complete(DATA, {"OC_CACHE_STORE": "memory"})
    assert mistakes == [
        (
            "OC_CACHE_STORE: counts for the signing keys too;"
            " OCS_PRESIGNEDURL_SIGNING_KEYS_STORE sets theirs (for example to nats-js-kv)"
        )
    ]
    own = {"OC_CACHE_STORE": "memory", "OCS_PRESIGNEDURL_SIGNING_KEYS_STORE": "nats-js-kv"}
    assert complete(DATA, own)[1:] == ([], [])


def test_twins_that_differ_are_said_without_their_values() -> None:
    name = "PRESIGNEDURL_SIGNING_KEYS_STORE_AUTH_PASSWORD"
    _, _, warnings = complete(DATA, {f"OCS_{name}": "one", f"PROXY_{name}": "two"})
    assert len(warnings) == 1
    assert warnings[0].startswith(f"OCS_{name}: differs from PROXY_{name}")
    assert "one" not in warnings[0].replace(name, "")
    assert complete(DATA, {f"OCS_{name}": "one", f"PROXY_{name}": "one"})[2] == []
    assert complete(DATA, {f"OCS_{name}": "one"})[2] == []


def test_credentials_never_go_with_every_origin() -> None:
    open_ = replace(
        DATA,
        cors=CORS(origins=("*",), credentials=True),
        ocs_cors=OCSCors(origins=("*",), credentials=True),
    )
    made, _, warnings = complete(open_)
    assert not made.cors.credentials
    assert not made.ocs_cors.credentials
    assert [warning.partition(":")[0] for warning in warnings] == [
        "OCGATE_CORS_ALLOW_CREDENTIALS",
        "OCS_CORS_ALLOW_CREDENTIALS",
    ]
    one = replace(DATA, cors=CORS(origins=("https://a",), credentials=True))
    assert complete(one)[0].cors.credentials
    assert complete(one)[2] == []


def test_what_cannot_be_meant_is_said() -> None:
    nothing = replace(DATA, routes=(), basic=Basic(enabled=True))
    nodes = replace(nothing, signing_keys=SigningKeys(nodes=("a:1",)))
    assert [warning.partition(":")[0] for warning in complete(nodes)[2]] == [
        "OCS_PRESIGNEDURL_SIGNING_KEYS_STORE_NODES",
        "PROXY_ENABLE_BASIC_AUTH",
        "OCGATE_UPSTREAM",
    ]
    issuing = replace(DATA, routes=(), services=frozenset(("ocs",)))
    assert complete(issuing)[2] == []


def test_twins_in_files_that_differ_are_said() -> None:
    files = {
        "/c/ocs.yaml": "signing_keys:\n  addresses: [a:1]\n  store: redis\n",
        "/c/proxy.yaml": "pre_signed_url:\n  signing_keys:\n    addresses: b:1\n    store: redis\n",
    }
    sources = Sources({}, files.get)
    sources.open_files("/c")
    completed(DATA, sources)
    assert [warning.where for warning in sources.warnings] == ["/c/ocs.yaml:2"]
    assert "/c/proxy.yaml:3 counts" in sources.warnings[0].text


def test_spellings_that_differ_are_said() -> None:
    assert complete(DATA, {"OCIS_URL": "https://a", "OC_URL": "https://b"})[2] == [
        "OCIS_URL: differs from OC_URL, which counts"
    ]
    assert complete(DATA, {"OCIS_URL": "https://a", "OC_URL": "https://a"})[2] == []
