from datetime import timedelta

import pytest

from ocgate.config.settings_credentials import (
    OIDC,
    STORE_KINDS,
    Basic,
    Presigned,
    SigningKeys,
    State,
    parse_store_kind,
)


def test_state_is_kept_in_a_file_and_keys_with_it() -> None:
    assert State().kind == "sqlite"
    assert SigningKeys().kind == ""
    assert SigningKeys().ttl == timedelta(hours=24)


def test_every_kind_of_store_is_read_and_memory_is_refused_with_the_reason() -> None:
    assert [parse_store_kind(kind) for kind in STORE_KINDS] == list(STORE_KINDS)
    for kind in ("memory", "noop"):
        with pytest.raises(ValueError, match="other processes"):
            parse_store_kind(kind)
    with pytest.raises(ValueError, match="none of: sqlite, nats-js-kv"):
        parse_store_kind("etcd")


def test_presigned_urls_are_for_downloads_and_uploads() -> None:
    presigned = Presigned()
    assert presigned.enabled
    assert presigned.methods == ("GET", "HEAD", "PUT")
    assert presigned.max_expires == timedelta(days=7)
    assert presigned.leeway == timedelta(seconds=60)


def test_passwords_and_the_issuer_are_off() -> None:
    assert not Basic().enabled
    assert OIDC().issuer == ""
