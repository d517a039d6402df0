"""TLS towards a backend."""

import ssl
from pathlib import Path

from ocgate.core.errors import ConfigError


def backend_tls(*, ca_file: Path | None = None, insecure: bool = False) -> ssl.SSLContext:
    """Make the context with which backends are verified.

    `ca_file` replaces the system's authorities (PEM). `insecure` accepts any certificate: for
    a backend on the same machine whose certificate nobody signed. Raises ConfigError when the
    file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{ca_file}: no usable CA certificates: {error}") from error
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context
