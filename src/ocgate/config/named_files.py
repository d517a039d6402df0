"""Files that the settings name: `ocgate config check` looks into them before a start does."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ocgate.config.csp_file import LoadedPolicy, Mode, expand, load_policy
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
    try:
        warnings += (Remark("", line) for line in read_policy(settings, environ).warnings)
    except ConfigError as error:
        mistakes += (Remark("", line) for line in str(error).splitlines())
    if settings.door.tls and not _has_certificate(settings):
        warnings.append(Remark("PROXY_TLS", "a certificate that signs itself will be made"))
    return tuple(mistakes), tuple(warnings)


def read_policy(settings: Settings, environ: Mapping[str, str]) -> LoadedPolicy:
    """Read the Content-Security-Policy. Raises ConfigError, each mistake with file and line."""
    csp = settings.csp
    return load_policy(
        expand(csp.files),
        environ=environ,
        mode=_MODES[csp.mode],
        overrides=expand(csp.override_files),
        issuer=settings.oidc.issuer,
        report_only=csp.report_only,
    )


def _needed(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.door.tls and _has_certificate(settings):
        yield "PROXY_TRANSPORT_TLS_CERT", settings.door.tls_cert
        yield "PROXY_TRANSPORT_TLS_KEY", settings.door.tls_key
    if settings.upstream.ca_cert:
        yield "PROXY_HTTPS_CACERT", settings.upstream.ca_cert


def _has_certificate(settings: Settings) -> bool:
    door = settings.door
    return Path(door.tls_cert).exists() or Path(door.tls_key).exists()


def _readable(path: str) -> bool:
    try:
        with Path(path).open("rb"):
            return True
    except (OSError, ValueError):
        return False
