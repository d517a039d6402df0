"""Settings of credentials, and of the stores that keep what they need."""

from dataclasses import dataclass
from datetime import timedelta

from ocgate.config.keys import key
from ocgate.config.kinds import (
    BOOL,
    DURATION,
    LIST,
    METHODS,
    PATH,
    SECRET,
    TEXT,
    Kind,
    Secret,
    duration,
)
from ocgate.config.network_kinds import URL

STORE_KINDS = (
    "sqlite",
    "nats-js-kv",
    "redis-sentinel",
    "redis",
    "opencloudstoreservice",
    "ocisstoreservice",
)


def parse_store_kind(text: str) -> str:
    """Read the kind of a store; `memory` is refused with the reason."""
    if text in ("memory", "noop"):
        raise ValueError(
            f"the {text} store cannot be used: other processes, and this one after a restart, "
            "would not know what was written to it, and signatures would fail"
        )
    if text not in STORE_KINDS:
        raise ValueError(f"{text!r} is none of: {', '.join(STORE_KINDS)}")
    return text


STORE_KIND = Kind("one of " + ", ".join(STORE_KINDS), parse_store_kind)

_PROXY = "PROXY_PRESIGNEDURL_SIGNING_KEYS_STORE"
_OCS = "OCS_PRESIGNEDURL_SIGNING_KEYS_STORE"
_TIMEOUT = duration(timedelta(milliseconds=1), timedelta(days=1))


@dataclass(frozen=True, slots=True)
class State:
    """The store of everything that several processes must agree on."""

    kind: str = key(
        STORE_KIND,
        "What keeps the state: a file on this machine, or a server that several share.",
        default="sqlite",
        env="OCGATE_STORE",
        yaml="ocgate:store.kind",
    )
    nodes: tuple[str, ...] = key(
        LIST,
        "Where the store is: `host:port`; `host:port/master` for redis-sentinel; a service name"
        " or `host:port` for a store service. Empty: `127.0.0.1:9233` for nats-js-kv.",
        default=(),
        env="OCGATE_STORE_NODES",
        yaml="ocgate:store.nodes",
    )
    username: str = key(
        TEXT,
        "User name at the store.",
        default="",
        env="OCGATE_STORE_AUTH_USERNAME",
        yaml="ocgate:store.username",
    )
    password: Secret = key(
        SECRET,
        "Password at the store.",
        default=Secret(),
        env="OCGATE_STORE_AUTH_PASSWORD",
        yaml="ocgate:store.password",
    )
    path: str = key(
        PATH,
        "File of the sqlite store. Empty: `ocgate.sqlite` in the data folder.",
        default="",
        env="OCGATE_STORE_PATH",
        yaml="ocgate:store.path",
    )
    timeout: timedelta = key(
        _TIMEOUT,
        "The longest that one call to a store may take.",
        default=timedelta(seconds=1),
        env="OCGATE_STORE_TIMEOUT",
        yaml="ocgate:store.timeout",
    )
    registry: tuple[str, ...] = key(
        LIST,
        "NATS servers with the family's service registry, for nodes that are service names.",
        default=("127.0.0.1:9233",),
        env="MICRO_REGISTRY_ADDRESS",
        yaml="ocgate:store.registry",
    )
    registry_username: str = key(
        TEXT,
        "User name at the service registry.",
        default="",
        env="MICRO_REGISTRY_AUTH_USERNAME",
        yaml="ocgate:store.registry_username",
    )
    registry_password: Secret = key(
        SECRET,
        "Password at the service registry.",
        default=Secret(),
        env="MICRO_REGISTRY_AUTH_PASSWORD",
        yaml="ocgate:store.registry_password",
    )


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The store of signing keys, which may be the one of an oCIS or OpenCloud.

    Where the `OCS_…` and `PROXY_…` twins differ, `PROXY_…` counts, with a warning.
    """

    kind: str = key(
        STORE_KIND,
        "What keeps the signing keys. Empty: the store of OCGATE_STORE, with its nodes.",
        default="",
        env=f"OCIS_CACHE_STORE_TYPE;OC_CACHE_STORE;{_OCS};{_PROXY}",
        yaml="commons:cache.store;ocs:signing_keys.store;proxy:pre_signed_url.signing_keys.store",
    )
    nodes: tuple[str, ...] = key(
        LIST,
        "Where that store is, in the forms of OCGATE_STORE_NODES.",
        default=(),
        env=f"OCIS_CACHE_STORE_ADDRESSES;OC_CACHE_STORE_NODES;{_OCS}_NODES;{_PROXY}_NODES",
        yaml="commons:cache.nodes;ocs:signing_keys.addresses"
        ";proxy:pre_signed_url.signing_keys.addresses",
    )
    ttl: timedelta = key(
        DURATION,
        "How long a key lives after it was last fetched; `0s` for ever.",
        default=timedelta(hours=24),
        env=f"OCIS_CACHE_STORE_TTL;OC_CACHE_TTL;{_OCS}_TTL;{_PROXY}_TTL",
        yaml="commons:cache.ttl;ocs:signing_keys.ttl;proxy:pre_signed_url.signing_keys.ttl",
    )
    username: str = key(
        TEXT,
        "User name at that store.",
        default="",
        env=f"OC_CACHE_AUTH_USERNAME;{_OCS}_AUTH_USERNAME;{_PROXY}_AUTH_USERNAME",
        yaml="commons:cache.auth_username;ocs:signing_keys.username"
        ";proxy:pre_signed_url.signing_keys.username",
    )
    password: Secret = key(
        SECRET,
        "Password at that store.",
        default=Secret(),
        env=f"OC_CACHE_AUTH_PASSWORD;{_OCS}_AUTH_PASSWORD;{_PROXY}_AUTH_PASSWORD",
        yaml="commons:cache.auth_password;ocs:signing_keys.password"
        ";proxy:pre_signed_url.signing_keys.password",
    )
    grace: timedelta = key(
        DURATION,
        "How long the previous key stays valid after a rotation.",
        default=timedelta(hours=24),
        env="OCGATE_SIGNING_KEY_GRACE",
        yaml="ocgate:signing_key_grace",
    )


@dataclass(frozen=True, slots=True)
class Presigned:
    """Presigned URLs."""

    enabled: bool = key(
        BOOL,
        "Accept presigned URLs.",
        default=True,
        env="PROXY_ENABLE_PRESIGNEDURLS",
        yaml="proxy:pre_signed_url.enabled",
    )
    methods: tuple[str, ...] = key(
        METHODS,
        "Methods that a presigned URL may be for.",
        default=("GET", "HEAD", "PUT"),
        env="OCGATE_PRESIGNED_METHODS",
        yaml="proxy:pre_signed_url.allowed_http_methods",
    )
    head_as_get: bool = key(
        BOOL,
        "Let HEAD use a URL that was signed for GET.",
        default=False,
        env="OCGATE_PRESIGNED_HEAD_AS_GET",
        yaml="ocgate:presigned.head_as_get",
    )
    max_expires: timedelta = key(
        duration(timedelta(seconds=1), timedelta(days=3650)),
        "The longest `OC-Expires` that is accepted.",
        default=timedelta(seconds=604800),
        env="OCGATE_PRESIGNED_MAX_EXPIRES",
        yaml="ocgate:presigned.max_expires",
    )
    leeway: timedelta = key(
        duration(high=timedelta(hours=1)),
        "How far the clocks of signer and gate may differ.",
        default=timedelta(seconds=60),
        env="OCGATE_PRESIGNED_LEEWAY",
        yaml="ocgate:presigned.leeway",
    )


@dataclass(frozen=True, slots=True)
class Basic:
    """Name and password of local users."""

    enabled: bool = key(
        BOOL,
        "Accept Basic authentication of the users in OCGATE_USERS_FILE.",
        default=False,
        env="PROXY_ENABLE_BASIC_AUTH",
        yaml="proxy:enable_basic_auth",
    )
    users_file: str = key(
        PATH,
        "File of local users: htpasswd lines with bcrypt, or `.yaml`.",
        default="",
        env="OCGATE_USERS_FILE",
        yaml="ocgate:users_file",
    )


@dataclass(frozen=True, slots=True)
class OIDC:
    """The OpenID Connect issuer."""

    issuer: str = key(
        URL,
        "URL of the issuer; its origin is added to the Content-Security-Policy. In the family"
        " OC_URL stands in where this is empty; here it does not.",
        default="",
        env="OC_OIDC_ISSUER;PROXY_OIDC_ISSUER",
        yaml="proxy:oidc.issuer",
    )
