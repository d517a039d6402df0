"""TLS at the door: certificate files of the operator, or a self-signed pair for a start."""

import contextlib
import ipaddress
import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ocgate.core.errors import ConfigError

VALIDITY = timedelta(days=365)
# Clients whose clock is a little behind accept it too.
BACKDATED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class TLSSettings:
    """PEM files: `cert` may hold a whole chain, leaf first; `key` has no passphrase."""

    cert: Path
    key: Path


def server_context(settings: TLSSettings) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and 1.3; raises `ConfigError` for unusable files."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(settings.cert, settings.key, password=_no_passphrase)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the certificate {settings.cert} and the key {settings.key} cannot be used: {error}"
        ) from error
    return context


def ensure_certificate(settings: TLSSettings, *, names: Iterable[str]) -> bool:
    """Write a self-signed pair if neither file exists; say whether it did.

    `names` are the DNS names and IP addresses that it is for. One file without the other is a
    `ConfigError`: nothing of the operator's is overwritten.
    """
    there = [settings.cert.exists(), settings.key.exists()]
    if all(there):
        return False
    if any(there):
        raise ConfigError(f"only one of {settings.cert} and {settings.key} exists")
    cert, key = _self_signed(list(names))
    try:
        _write(settings.key, key, mode=0o600)
        _write(settings.cert, cert, mode=0o644)
    except OSError as error:
        raise ConfigError(f"the self-signed certificate cannot be written: {error}") from error
    return True


def _no_passphrase() -> bytes:
    # Without this OpenSSL asks on the terminal and waits.
    raise ValueError("the key has a passphrase")


def _self_signed(names: list[str]) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    issued_at = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ocgate self-signed")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(issued_at - BACKDATED)
        .not_valid_after(issued_at + VALIDITY)
        .add_extension(
            x509.SubjectAlternativeName([_general_name(n) for n in names]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _general_name(name: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)


def _write(path: Path, content: bytes, *, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
