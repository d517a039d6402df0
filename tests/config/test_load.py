import contextlib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.config.load import Loaded, load
from ocgate.config.mistakes import Misconfigured
from ocgate.config.table import TABLE, VARIABLES
from ocgate.core.errors import ConfigError

HERE = Path(__file__).parent


def env_file(name: str) -> dict[str, str]:
    lines = (HERE / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def loaded(environ: Mapping[str, str], files: Mapping[str, str] | None = None) -> Loaded:
    return load(environ, read=(files or {}).get)


def refused(environ: Mapping[str, str], files: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(Misconfigured) as raised:
        loaded(environ, files)
    return list(map(str, raised.value.mistakes))


def test_nothing_at_all_is_a_configuration() -> None:
    made = loaded({"OCGATE_UPSTREAM": "http://127.0.0.1:8081"})
    assert (made.warnings, made.ignored) == ((), ())
    assert made.settings.routes[-1].backend == ("http://127.0.0.1:8081",)
    assert made.origins["upstream.backend"] == "OCGATE_UPSTREAM"
    assert made.origins["door.address"] == "default"


def test_the_pocket_id_example_loads() -> None:
    made = loaded(env_file("pocket-id.env") | {"OCGATE_UPSTREAM": "http://127.0.0.1:9140"})
    assert made.warnings == ()
    assert made.settings.door.public_url == "https://ocis.company.com"
    assert made.settings.oidc.issuer == "https://pocket-id.company.ch"
    assert made.settings.csp.files == ("/etc/ocis/csp.yaml",)
    assert made.settings.services == {"proxy", "ocs"}
    assert {setting.name for setting in made.ignored} == {
        "PROXY_AUTOPROVISION_ACCOUNTS",
        "PROXY_ROLE_ASSIGNMENT_DRIVER",
        "PROXY_OIDC_REWRITE_WELLKNOWN",
        "WEB_OIDC_CLIENT_ID",
        "PROXY_USER_OIDC_CLAIM",
    }


def test_an_env_file_of_an_ocis_loads_and_nothing_in_it_is_unknown() -> None:
    environ = env_file("ocis-defaults.env")
    assert len(environ) > 500
    made = loaded(environ)
    assert made.settings.key_store.kind == "nats-js-kv"
    assert made.settings.door.tls
    assert len(made.ignored) > 450
    assert not [warning for warning in made.warnings if "nobody reads" in warning.text]
    assert {setting.name for setting in made.ignored} | set(VARIABLES) >= set(environ)


def test_a_family_proxy_yaml_loads() -> None:
    text = """
http:
  addr: 0.0.0.0:9200
  tls: "false"
oidc:
  issuer: https://${IDP_DOMAIN|idp.example.com}
role_assignment:
  driver: oidc
pre_signed_url:
  allowed_http_methods: [GET]
  signing_keys:
    store: redis-sentinel
    addresses: [10.10.0.200:26379/mymaster]
    ttl: 12h
policy_selector:
  static: {policy: default}
"""
    made = loaded({"OC_CONFIG_DIR": "/etc/opencloud"}, {"/etc/opencloud/proxy.yaml": text})
    assert made.settings.presigned.methods == ("GET",)
    assert made.settings.key_store.nodes == ("10.10.0.200:26379/mymaster",)
    assert made.settings.signing_keys.ttl == timedelta(hours=12)
    assert made.settings.oidc.issuer == "https://idp.example.com"
    assert made.origins["signing_keys.ttl"] == "/etc/opencloud/proxy.yaml:14"
    assert "proxy:role_assignment.driver" in [setting.name for setting in made.ignored]


def test_all_mistakes_are_reported_at_once_with_their_places() -> None:
    environ = {
        "OC_CONFIG_DIR": "/c",
        "PROXY_TLS": "yes",
        "OCGATE_GRACE": "90",
        "OC_CACHE_STORE": "memory",
        "PROXY_DEBUG_TOKEN_FILE": "/run/none",
    }
    files = {
        "/c/proxy.yaml": "http:\n  addr: nowhere\npolicies:\n- name: a\n  routes: [{}]\n",
        "/c/ocs.yaml": "a: 1\na: 2\n",
    }
    places = [mistake.split(": ")[0] for mistake in refused(environ, files)]
    assert sorted(places) == [
        "/c/ocs.yaml:2",
        "/c/proxy.yaml:2",
        "/c/proxy.yaml:5",
        "OCGATE_GRACE",
        "OC_CACHE_STORE",
        "OC_CACHE_STORE",
        "PROXY_DEBUG_TOKEN_FILE (/run/none)",
        "PROXY_TLS",
    ]


def test_memory_for_caches_is_fine_once_the_keys_have_a_store() -> None:
    assert any("other processes" in mistake for mistake in refused({"OCIS_CACHE_STORE": "memory"}))
    keys = "OCS_PRESIGNEDURL_SIGNING_KEYS_STORE"
    made = loaded({"OCIS_CACHE_STORE": "memory", keys: "nats-js-kv"})
    assert made.settings.key_store.kind == "nats-js-kv"


def test_of_the_twins_for_signing_keys_that_of_the_proxy_counts_with_a_warning() -> None:
    name = "PRESIGNEDURL_SIGNING_KEYS_STORE"
    made = loaded(
        {f"OCS_{name}": "nats-js-kv", f"PROXY_{name}": "redis", f"PROXY_{name}_NODES": "r:1"}
    )
    assert made.settings.key_store.kind == "redis"
    assert [w.where for w in made.warnings if "differs" in w.text] == [f"OCS_{name}"]


def test_a_public_url_is_no_issuer() -> None:
    assert loaded({"OC_URL": "https://cloud.example.com"}).settings.oidc.issuer == ""


def test_both_spellings_are_read_and_opencloud_wins() -> None:
    assert loaded({"OCIS_URL": "https://a"}).settings.door.public_url == "https://a"
    both = {"OCIS_URL": "https://a", "OC_URL": "https://b"}
    assert loaded(both).settings.door.public_url == "https://b"


def test_the_command_line_wins() -> None:
    made = load({"OC_RUN_SERVICES": "proxy"}, read=lambda _: None, overrides={"runtime.run": "ocs"})
    assert made.settings.services == {"ocs"}
    assert made.origins["runtime.run"] == "command line"


def test_a_secret_is_never_in_a_message() -> None:
    made = loaded({"OCGATE_STORE_AUTH_PASSWORD": "swordfish"})
    assert made.settings.state.password.value == "swordfish"
    assert "swordfish" not in repr(made)
    (mistake,) = refused({"OCGATE_STORE_AUTH_PASSWORD": "sword\x01fish"})
    assert "fish" not in mistake


names = st.sampled_from(sorted({name for row in TABLE for name in row.key.env}))
values = st.one_of(st.text(), st.sampled_from(["", "1", "true", "1h", "a,b", "http://a", "0x1"]))


@given(st.dictionaries(names, values, max_size=5))
def test_any_environment_is_read_or_refused(environ: dict[str, str]) -> None:
    try:
        made = loaded(environ)
    except ConfigError:
        return
    assert set(made.origins) == {row.name for row in TABLE}


@given(st.one_of(st.text(), st.text(alphabet="htpadrolicesnmu:-[]{}&*'$|?/ \n")))
def test_any_file_is_read_or_refused(text: str) -> None:
    files = {f"/etc/ocgate/{name}.yaml": text for name in ("proxy", "opencloud")}
    with contextlib.suppress(ConfigError):
        loaded({}, files)


def test_a_backend_that_cannot_be_read_is_not_called_missing_as_well() -> None:
    assert any("no route names a backend" in str(remark) for remark in loaded({}).warnings)
    with pytest.raises(Misconfigured) as refused:
        loaded({"OCGATE_UPSTREAM": "nonsense"})
    assert [remark.where for remark in refused.value.mistakes] == ["OCGATE_UPSTREAM"]
    assert refused.value.warnings == ()
