import ssl
from pathlib import Path

import pytest
import trustme

from ocgate.core.errors import ConfigError
from ocgate.upstream.tls import backend_tls
from tests.support.scripted import OK, answering, scripted
from tests.support.served import client, served
from tests.upstream.relaying import GET, gate


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    made = trustme.CA()
    file = tmp_path / "ca.pem"
    made.cert_pem.write_to_path(str(file))
    return made, file


async def status(made: trustme.CA, context: ssl.SSLContext, name: str = "localhost") -> int:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.issue_cert(name).configure_cert(server)  # pyright: ignore[reportUnknownMemberType]
    async with scripted(answering(OK), tls=server) as backend:
        with served(gate(f"https://localhost:{backend.port}", tls=context)) as port:
            async with client(port) as browser:
                await browser.ask(GET)
                return (await browser.ask(GET))[0].status


async def test_a_backend_is_believed_by_its_own_authority(
    authority: tuple[trustme.CA, Path],
) -> None:
    made, file = authority
    assert await status(made, backend_tls(ca_file=file)) == 200
    assert await status(made, backend_tls()) == 502
    assert await status(trustme.CA(), backend_tls(ca_file=file)) == 502


async def test_a_certificate_for_another_name_is_refused(
    authority: tuple[trustme.CA, Path],
) -> None:
    made, file = authority
    assert await status(made, backend_tls(ca_file=file), "other.example") == 502


async def test_insecure_believes_anybody(authority: tuple[trustme.CA, Path]) -> None:
    assert await status(authority[0], backend_tls(insecure=True), "other.example") == 200


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(ConfigError, match=name):
            backend_tls(ca_file=tmp_path / name)
