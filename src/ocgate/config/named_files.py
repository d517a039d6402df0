"""Files that the settings name: `ocgate config check` looks into them before a start does."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ocgate.config.csp_file import Mode, expand, load_policy
from ocgate.config.mistakes import Remark
from ocgate.config.settings import Settings
from ocgate.core.errors import ConfigError

_MODES: Mapping[str, Mode] = {"auto": "auto", "merge": "merge", "replace": "replace"}


def look_into(
    settings: Settings, environ: Mapping[str, str]
) -> tuple[tuple[Remark, ...], tuple[Remark, ...]]:
    """Return the mistakes and the warnings about the files that `settings` name."""
    mistakes = [
        Remark(name, f"{path} is not there or cannot be read")
        for name, path in _needed(settings)
        if not _readable(path)
    ]
    warnings: list[Remark] = []
    csp = settings.csp
    try:
        policy = load_policy(
            expand(csp.files),
            environ=environ,
            mode=_MODES[csp.mode],
            overrides=expand(csp.override_files),
            issuer=settings.oidc.issuer,
            report_only=csp.report_only,
        )
        warnings += (Remark("", line) for line in policy.warnings)
    except ConfigError as error:
        mistakes += (Remark("", line) for line in str(error).splitlines())
    return tuple(mistakes), tuple(warnings)


def _needed(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.door.tls:
        yield "PROXY_TRANSPORT_TLS_CERT", settings.door.tls_cert
        yield "PROXY_TRANSPORT_TLS_KEY", settings.door.tls_key
    if settings.upstream.ca_cert:
        yield "PROXY_HTTPS_CACERT", settings.upstream.ca_cert
    if settings.basic.enabled and settings.basic.users_file:
        yield "OCGATE_USERS_FILE", settings.basic.users_file


def _readable(path: str) -> bool:
    try:
        with Path(path).open("rb"):
            return True
    except (OSError, ValueError):
        return False
