"""Settings of the process and of the door: where it listens, whom it believes, what it bears."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network

from ocgate.config.keys import key
from ocgate.config.kinds import BOOL, LIST, PATH, SECRET, Secret, choice, duration, integer
from ocgate.config.network_kinds import ADDRESS, NETWORKS, ORIGIN, Address

LOG_LEVELS = ("panic", "fatal", "error", "warn", "info", "debug", "trace")

_TIMEOUT = duration(timedelta(milliseconds=1), timedelta(days=1))
_COUNT = integer(1, 1_000_000)
_SIZE = integer(256, 1 << 20)


@dataclass(frozen=True, slots=True)
class Paths:
    """Where files are looked for and kept."""

    data: str = key(
        PATH,
        "Folder of the state. Empty: `$HOME/.ocgate`, which the user who starts ocgate can write"
        " to and which no oCIS or OpenCloud uses; `/var/lib/ocgate` where there is no HOME.",
        default="",
        env="OC_BASE_DATA_PATH",
    )
    config: str = key(
        PATH,
        "Folder of the YAML files. Empty: `$HOME/.ocgate/config`; `/etc/ocgate` where there is"
        " no HOME.",
        default="",
        env="OC_CONFIG_DIR",
    )


@dataclass(frozen=True, slots=True)
class Runtime:
    """Which services run in this process; `Settings.services` is the outcome."""

    run: tuple[str, ...] = key(
        LIST,
        "Only these services are started. Empty: `proxy,ocs`.",
        default=(),
        env="OC_RUN_EXTENSIONS;OC_RUN_SERVICES",
        yaml="commons:runtime.services",
    )
    add: tuple[str, ...] = key(
        LIST,
        "Services to start besides `proxy,ocs`; without effect where OC_RUN_SERVICES is set.",
        default=(),
        env="OC_ADD_RUN_SERVICES",
        yaml="commons:runtime.add_services",
    )
    exclude: tuple[str, ...] = key(
        LIST,
        "Services to leave out; without effect where OC_RUN_SERVICES is set.",
        default=(),
        env="OC_EXCLUDE_RUN_SERVICES",
        yaml="commons:runtime.disabled_services",
    )
    grace: timedelta = key(
        duration(),
        "How long running transfers may go on after SIGTERM.",
        default=timedelta(seconds=10),
        env="OCGATE_GRACE",
        yaml="ocgate:grace",
    )


@dataclass(frozen=True, slots=True)
class Door:
    """The public listener."""

    address: Address = key(
        ADDRESS,
        "Where to listen: `host:port`, or `unix:/path` for a socket.",
        default=Address("0.0.0.0", 9200),  # noqa: S104
        env="PROXY_HTTP_ADDR",
        yaml="proxy:http.addr",
    )
    tls: bool = key(
        BOOL,
        "Serve HTTPS with the certificate below. In the family the default is true, with a"
        " certificate that signs itself.",
        default=False,
        env="PROXY_TLS",
        yaml="proxy:http.tls",
    )
    tls_cert: str = key(
        PATH,
        "Certificate chain (PEM). Empty: `proxy/server.crt` in the data folder.",
        default="",
        env="PROXY_TRANSPORT_TLS_CERT",
        yaml="proxy:http.tls_cert",
    )
    tls_key: str = key(
        PATH,
        "Private key of the certificate (PEM). Empty: `proxy/server.key` in the data folder.",
        default="",
        env="PROXY_TRANSPORT_TLS_KEY",
        yaml="proxy:http.tls_key",
    )
    public_url: str = key(
        ORIGIN,
        "Scheme, host and port under which clients reach ocgate. Empty: what `Host` says.",
        default="",
        env="OC_URL",
        yaml="commons:ocis_url;commons:opencloud_url",
    )
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = key(
        NETWORKS,
        "Address ranges whose `X-Forwarded-*` headers are believed, read from right to left."
        " Empty: nobody's.",
        default=(),
        env="OCGATE_TRUSTED_PROXIES",
        yaml="ocgate:trusted_proxies",
    )
    trust_unix_socket: bool = key(
        BOOL,
        "Believe `X-Forwarded-*` headers of whoever connects through a unix socket, which has no"
        " address: the web server in front, if only it can open the socket.",
        default=False,
        env="OCGATE_TRUST_UNIX_SOCKET",
        yaml="ocgate:trust_unix_socket",
    )
    allow_encoded_slash: bool = key(
        BOOL,
        "Let `%2F` and `%5C` through in paths. Only for backends that take them for part of a"
        " name.",
        default=False,
        env="OCGATE_ALLOW_ENCODED_SLASH",
        yaml="ocgate:allow_encoded_slash",
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may ask of the door."""

    connections: int = key(
        integer(1, 10_000_000),
        "Open client connections; more of them are closed at once.",
        default=20_000,
        env="OCGATE_MAX_CONNECTIONS",
        yaml="ocgate:limits.connections",
    )
    target: int = key(
        _SIZE,
        "Longest request target, in bytes.",
        default=8192,
        env="OCGATE_MAX_TARGET",
        yaml="ocgate:limits.target",
    )
    header_bytes: int = key(
        _SIZE,
        "Longest request head, in bytes.",
        default=65536,
        env="OCGATE_MAX_HEADER_BYTES",
        yaml="ocgate:limits.header_bytes",
    )
    headers: int = key(
        _COUNT,
        "Most headers in a request.",
        default=100,
        env="OCGATE_MAX_HEADERS",
        yaml="ocgate:limits.headers",
    )
    header_timeout: timedelta = key(
        _TIMEOUT,
        "How long a client may take to send a request head.",
        default=timedelta(seconds=10),
        env="OCGATE_HEADER_TIMEOUT",
        yaml="ocgate:limits.header_timeout",
    )
    body_timeout: timedelta = key(
        _TIMEOUT,
        "How long a client may pause while it sends a body.",
        default=timedelta(seconds=30),
        env="OCGATE_BODY_TIMEOUT",
        yaml="ocgate:limits.body_timeout",
    )
    write_timeout: timedelta = key(
        _TIMEOUT,
        "How long a client may take nothing of a response that waits for it.",
        default=timedelta(seconds=60),
        env="OCGATE_WRITE_TIMEOUT",
        yaml="ocgate:limits.write_timeout",
    )
    keep_alive: timedelta = key(
        _TIMEOUT,
        "How long an idle client connection is kept.",
        default=timedelta(seconds=75),
        env="OCGATE_KEEP_ALIVE",
        yaml="ocgate:limits.keep_alive",
    )


@dataclass(frozen=True, slots=True)
class Debug:
    """The listener of `/healthz`, `/readyz` and `/metrics`."""

    address: Address = key(
        ADDRESS,
        "Where to listen for health checks and metrics; never public.",
        default=Address("127.0.0.1", 9205),
        env="PROXY_DEBUG_ADDR",
        yaml="proxy:debug.addr",
    )
    token: Secret = key(
        SECRET,
        "Bearer token that `/metrics` asks for. Empty: none.",
        default=Secret(),
        env="PROXY_DEBUG_TOKEN",
        yaml="proxy:debug.token",
    )


@dataclass(frozen=True, slots=True)
class Logs:
    """What is written about what happens."""

    level: str = key(
        choice(*LOG_LEVELS),
        "The least important lines that are written; the access log is `info`.",
        default="error",
        env="OC_LOG_LEVEL;PROXY_LOG_LEVEL;OCGATE_LOG_LEVEL",
        yaml="commons:log.level;proxy:log.level;ocgate:log.level",
    )
    pretty: bool = key(
        BOOL,
        "Lines for people instead of JSON.",
        default=False,
        env="OC_LOG_PRETTY;PROXY_LOG_PRETTY;OCGATE_LOG_PRETTY",
        yaml="commons:log.pretty;proxy:log.pretty;ocgate:log.pretty",
    )
    file: str = key(
        PATH,
        "File that lines are appended to. Empty: standard error.",
        default="",
        env="OC_LOG_FILE;PROXY_LOG_FILE;OCGATE_LOG_FILE",
        yaml="commons:log.file;proxy:log.file;ocgate:log.file",
    )
