import ipaddress
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ocgate.core.errors import ConfigError
from ocgate.server.tls import TLSSettings, ensure_certificate, server_context


@pytest.fixture
def settings(tmp_path: Path) -> TLSSettings:
    return TLSSettings(tmp_path / "tls" / "cert.pem", tmp_path / "tls" / "key.pem")


def test_a_pair_is_made_where_there_is_none(settings: TLSSettings) -> None:
    assert ensure_certificate(settings, names=["gate.example", "127.0.0.1", "::1"])
    names = (
        x509.load_pem_x509_certificate(settings.cert.read_bytes())
        .extensions.get_extension_for_class(x509.SubjectAlternativeName)
        .value
    )
    assert names.get_values_for_type(x509.DNSName) == ["gate.example"]
    assert names.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("::1"),
    ]
    assert stat.S_IMODE(settings.key.stat().st_mode) == 0o600
    server_context(settings)


def test_a_pair_that_is_there_is_left_alone(settings: TLSSettings) -> None:
    ensure_certificate(settings, names=["a"])
    before = settings.cert.read_bytes(), settings.key.read_bytes()
    assert not ensure_certificate(settings, names=["b"])
    assert (settings.cert.read_bytes(), settings.key.read_bytes()) == before


@pytest.mark.parametrize("missing", ["cert", "key"])
def test_half_a_pair_is_a_configuration_error(settings: TLSSettings, missing: str) -> None:
    ensure_certificate(settings, names=["a"])
    getattr(settings, missing).unlink()
    with pytest.raises(ConfigError):
        ensure_certificate(settings, names=["a"])
    with pytest.raises(ConfigError):
        server_context(settings)


def test_a_key_with_a_passphrase_is_a_configuration_error(settings: TLSSettings) -> None:
    ensure_certificate(settings, names=["a"])
    settings.key.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConfigError):
        server_context(settings)


def test_a_folder_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    settings = TLSSettings(tmp_path / "file" / "cert.pem", tmp_path / "file" / "key.pem")
    with pytest.raises(ConfigError):
        ensure_certificate(settings, names=["a"])
