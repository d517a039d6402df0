"""Settings of the way to the backends; routes of `proxy.yaml` are read in `policies`."""

from dataclasses import dataclass
from datetime import timedelta

from ocgate.config.keys import key
from ocgate.config.kinds import (
    BOOL,
    HEADER_NAME,
    HEADER_NAMES,
    PATH,
    duration,
    integer,
)
from ocgate.config.network_kinds import BACKENDS

_TIMEOUT = duration(timedelta(milliseconds=1), timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Upstream:
    """How backends are reached, and how long they may take."""

    backend: tuple[str, ...] = key(
        BACKENDS,
        "Short for one route `/`: the addresses of one backend, served in turns. Forms:"
        " `http://host:port/prefix`, `https://…`, `unix:/path`.",
        default=(),
        env="OCGATE_UPSTREAM",
        yaml="ocgate:upstream.backend",
    )
    websocket: bool = key(
        BOOL,
        "Let WebSocket through on the route of OCGATE_UPSTREAM; other routes say `websocket:`.",
        default=False,
        env="OCGATE_UPSTREAM_WEBSOCKET",
        yaml="ocgate:upstream.websocket",
    )
    backend_host: bool = key(
        BOOL,
        "Send the backend's own name as `Host` on the route of OCGATE_UPSTREAM, not the"
        " client's; other routes say `apache_vhost:`.",
        default=False,
        env="OCGATE_UPSTREAM_BACKEND_HOST",
        yaml="ocgate:upstream.backend_host",
    )
    insecure: bool = key(
        BOOL,
        "Do not check the certificates of HTTPS backends.",
        default=False,
        env="PROXY_INSECURE_BACKENDS",
        yaml="proxy:insecure_backends",
    )
    ca_cert: str = key(
        PATH,
        "CA certificates (PEM) for HTTPS backends. Empty: those of the system.",
        default="",
        env="PROXY_HTTPS_CACERT",
        yaml="proxy:backend_https_cacert",
    )
    connect_timeout: timedelta = key(
        _TIMEOUT,
        "How long a backend may take to accept a connection, TLS included (then 504).",
        default=timedelta(seconds=5),
        env="OCGATE_UPSTREAM_CONNECT_TIMEOUT",
        yaml="ocgate:upstream.connect_timeout",
    )
    first_byte_timeout: timedelta = key(
        _TIMEOUT,
        "How long a backend may take from the end of a request to its answer (then 504).",
        default=timedelta(seconds=60),
        env="OCGATE_UPSTREAM_FIRST_BYTE_TIMEOUT",
        yaml="ocgate:upstream.first_byte_timeout",
    )
    idle_timeout: timedelta = key(
        _TIMEOUT,
        "How long a backend may pause within a body.",
        default=timedelta(seconds=60),
        env="OCGATE_UPSTREAM_IDLE_TIMEOUT",
        yaml="ocgate:upstream.idle_timeout",
    )
    queue_timeout: timedelta = key(
        _TIMEOUT,
        "How long a request waits for a free connection to its backend (then 503).",
        default=timedelta(seconds=1),
        env="OCGATE_UPSTREAM_QUEUE_TIMEOUT",
        yaml="ocgate:upstream.queue_timeout",
    )
    keep_alive: timedelta = key(
        _TIMEOUT,
        "How long an idle connection to a backend is kept.",
        default=timedelta(seconds=50),
        env="OCGATE_UPSTREAM_KEEP_ALIVE",
        yaml="ocgate:upstream.keep_alive",
    )
    connections: int = key(
        integer(1, 1_000_000),
        "Most connections to one address of a backend.",
        default=512,
        env="OCGATE_UPSTREAM_MAX_CONNECTIONS",
        yaml="ocgate:upstream.max_connections",
    )
    idle_connections: int = key(
        integer(0, 1_000_000),
        "Most idle connections that are kept to one address of a backend.",
        default=128,
        env="OCGATE_UPSTREAM_MAX_IDLE_CONNECTIONS",
        yaml="ocgate:upstream.max_idle_connections",
    )


@dataclass(frozen=True, slots=True)
class Identity:
    """Headers that tell backends who is asking; an empty name means that it is not sent."""

    user: str = key(
        HEADER_NAME,
        "Header with the login name.",
        default="X-Remote-User",
        env="OCGATE_USER_HEADER",
        yaml="ocgate:identity.user",
    )
    user_id: str = key(
        HEADER_NAME,
        "Header with the user's id.",
        default="X-Remote-User-Id",
        env="OCGATE_USER_ID_HEADER",
        yaml="ocgate:identity.user_id",
    )
    display_name: str = key(
        HEADER_NAME,
        "Header with the display name.",
        default="",
        env="OCGATE_DISPLAY_NAME_HEADER",
        yaml="ocgate:identity.display_name",
    )
    mail: str = key(
        HEADER_NAME,
        "Header with the mail address.",
        default="",
        env="OCGATE_MAIL_HEADER",
        yaml="ocgate:identity.mail",
    )
    groups: str = key(
        HEADER_NAME,
        "Header with the groups, separated by commas.",
        default="",
        env="OCGATE_GROUPS_HEADER",
        yaml="ocgate:identity.groups",
    )
    roles: str = key(
        HEADER_NAME,
        "Header with the roles, separated by commas.",
        default="",
        env="OCGATE_ROLES_HEADER",
        yaml="ocgate:identity.roles",
    )
    strip: tuple[str, ...] = key(
        HEADER_NAMES,
        "Headers of clients that are removed, besides those that ocgate itself or the family sets.",
        default=(),
        env="OCGATE_STRIP_HEADERS",
        yaml="ocgate:identity.strip",
    )
