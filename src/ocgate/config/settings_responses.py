"""Settings of the headers that are added to responses."""

from dataclasses import dataclass
from datetime import timedelta

from ocgate.config.keys import key
from ocgate.config.kinds import (
    BOOL,
    HEADER_NAMES,
    METHODS,
    PATHS,
    TEXT,
    choice,
    duration,
)
from ocgate.config.network_kinds import CORS_ORIGINS

DAV_METHODS = METHODS.parse(
    "OPTIONS,HEAD,GET,PUT,PATCH,POST,DELETE,MKCOL,PROPFIND,PROPPATCH,MOVE,COPY,LOCK,"
    "UNLOCK,REPORT,SEARCH"
)
DAV_HEADERS = HEADER_NAMES.parse(
    "Origin,Accept,Content-Type,Depth,Authorization,Ocs-Apirequest,If-None-Match,"
    "If-Match,If,Lock-Token,Destination,Overwrite,X-Request-Id,X-Requested-With,"
    "Tus-Resumable,Tus-Checksum-Algorithm,Upload-Concat,Upload-Length,Upload-Metadata,"
    "Upload-Defer-Length,Upload-Expires,Upload-Checksum,Upload-Offset,"
    "X-HTTP-Method-Override,Cache-Control,Range,Oc-Mtime,Oc-Checksum"
)
DAV_EXPOSED = HEADER_NAMES.parse(
    "Location,Upload-Offset,Upload-Length,Tus-Resumable,Tus-Version,Tus-Max-Size,"
    "Tus-Extension,ETag,OC-ETag,OC-FileId,OC-Checksum,Content-Range,Accept-Ranges,"
    "Content-Disposition,DAV,X-Request-Id"
)
OCS_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OCS_HEADERS = HEADER_NAMES.parse(
    "Authorization,Origin,Content-Type,Accept,X-Requested-With,X-Request-Id,"
    "Cache-Control,Ocs-Apirequest"
)
_MAX_AGE = duration(timedelta(), timedelta(days=1))


@dataclass(frozen=True, slots=True)
class CSP:
    """The Content-Security-Policy."""

    files: tuple[str, ...] = key(
        PATHS,
        "csp.yaml files; globs are possible. Empty: `proxy/csp.yaml` in the data folder if it"
        " is there, otherwise the built-in policy.",
        default=(),
        env="PROXY_CSP_CONFIG_FILE_LOCATION",
        yaml="proxy:csp_config_file_location",
    )
    override_files: tuple[str, ...] = key(
        PATHS,
        "csp.yaml files that replace everything else.",
        default=(),
        env="PROXY_CSP_CONFIG_FILE_OVERRIDE_LOCATION",
        yaml="proxy:csp_config_file_override_location",
    )
    mode: str = key(
        choice("auto", "merge", "replace"),
        "Whether the files replace the built-in policy (oCIS) or are merged into it (OpenCloud"
        " from 4.0); `auto` merges unless a file has `default-src`.",
        default="auto",
        env="OCGATE_CSP_MODE",
        yaml="ocgate:csp.mode",
    )
    report_only: bool = key(
        BOOL,
        "Send the policy as Content-Security-Policy-Report-Only.",
        default=False,
        env="OCGATE_CSP_REPORT_ONLY",
        yaml="ocgate:csp.report_only",
    )


@dataclass(frozen=True, slots=True)
class CORS:
    """Cross-origin access to everything that goes through the gate."""

    origins: tuple[str, ...] = key(
        CORS_ORIGINS,
        "Origins whose pages may read answers; one `*` in a host is possible. Empty: none, and"
        " backends answer for themselves.",
        default=(),
        env="OC_CORS_ALLOW_ORIGINS;OCGATE_CORS_ALLOW_ORIGINS",
        yaml="ocgate:cors.allow_origins",
    )
    methods: tuple[str, ...] = key(
        METHODS,
        "Methods that those pages may use.",
        default=DAV_METHODS,
        env="OC_CORS_ALLOW_METHODS;OCGATE_CORS_ALLOW_METHODS",
        yaml="ocgate:cors.allow_methods",
    )
    headers: tuple[str, ...] = key(
        HEADER_NAMES,
        "Request headers that those pages may send.",
        default=DAV_HEADERS,
        env="OC_CORS_ALLOW_HEADERS;OCGATE_CORS_ALLOW_HEADERS",
        yaml="ocgate:cors.allow_headers",
    )
    exposed: tuple[str, ...] = key(
        HEADER_NAMES,
        "Response headers that those pages may read.",
        default=DAV_EXPOSED,
        env="OCGATE_CORS_EXPOSE_HEADERS",
        yaml="ocgate:cors.expose_headers",
    )
    credentials: bool = key(
        BOOL,
        "Whether browsers may send cookies and remembered passwords; never together with the"
        " origin `*`.",
        default=False,
        env="OC_CORS_ALLOW_CREDENTIALS;OCGATE_CORS_ALLOW_CREDENTIALS",
        yaml="ocgate:cors.allow_credentials",
    )
    max_age: timedelta = key(
        _MAX_AGE,
        "How long browsers may remember the answer to a preflight.",
        default=timedelta(minutes=10),
        env="OCGATE_CORS_MAX_AGE",
        yaml="ocgate:cors.max_age",
    )


@dataclass(frozen=True, slots=True)
class OCSCors:
    """Cross-origin access to the OCS endpoints that ocgate answers itself."""

    origins: tuple[str, ...] = key(
        CORS_ORIGINS,
        "Origins whose pages may read OCS answers.",
        default=("*",),
        env="OC_CORS_ALLOW_ORIGINS;OCS_CORS_ALLOW_ORIGINS",
        yaml="ocs:http.cors.allow_origins",
    )
    methods: tuple[str, ...] = key(
        METHODS,
        "Methods that those pages may use.",
        default=OCS_METHODS,
        env="OC_CORS_ALLOW_METHODS;OCS_CORS_ALLOW_METHODS",
        yaml="ocs:http.cors.allow_methods",
    )
    headers: tuple[str, ...] = key(
        HEADER_NAMES,
        "Request headers that those pages may send.",
        default=OCS_HEADERS,
        env="OC_CORS_ALLOW_HEADERS;OCS_CORS_ALLOW_HEADERS",
        yaml="ocs:http.cors.allow_headers",
    )
    credentials: bool = key(
        BOOL,
        "Whether browsers may send cookies and remembered passwords. The family's default is"
        " true, together with the origin `*`, which browsers refuse.",
        default=False,
        env="OC_CORS_ALLOW_CREDENTIALS;OCS_CORS_ALLOW_CREDENTIALS",
        yaml="ocs:http.cors.allow_credentials",
    )


@dataclass(frozen=True, slots=True)
class SecurityHeaders:
    """Headers that restrict what browsers do; an empty value means that it is not sent."""

    content_type_options: str = key(
        TEXT,
        "`X-Content-Type-Options`.",
        default="nosniff",
        env="OCGATE_X_CONTENT_TYPE_OPTIONS",
        yaml="ocgate:security_headers.x_content_type_options",
    )
    frame_options: str = key(
        TEXT,
        "`X-Frame-Options`.",
        default="SAMEORIGIN",
        env="OCGATE_X_FRAME_OPTIONS",
        yaml="ocgate:security_headers.x_frame_options",
    )
    referrer_policy: str = key(
        TEXT,
        "`Referrer-Policy`.",
        default="strict-origin-when-cross-origin",
        env="OCGATE_REFERRER_POLICY",
        yaml="ocgate:security_headers.referrer_policy",
    )
    cross_domain_policies: str = key(
        TEXT,
        "`X-Permitted-Cross-Domain-Policies`.",
        default="none",
        env="OCGATE_X_PERMITTED_CROSS_DOMAIN_POLICIES",
        yaml="ocgate:security_headers.x_permitted_cross_domain_policies",
    )
    robots_tag: str = key(
        TEXT,
        "`X-Robots-Tag`.",
        default="none",
        env="OCGATE_X_ROBOTS_TAG",
        yaml="ocgate:security_headers.x_robots_tag",
    )
    xss_protection: str = key(
        TEXT,
        "`X-XSS-Protection`.",
        default="1; mode=block",
        env="OCGATE_X_XSS_PROTECTION",
        yaml="ocgate:security_headers.x_xss_protection",
    )
    hsts: str = key(
        TEXT,
        "`Strict-Transport-Security`; sent over TLS only.",
        default="max-age=315360000; preload",
        env="OCGATE_STRICT_TRANSPORT_SECURITY",
        yaml="ocgate:security_headers.strict_transport_security",
    )
