"""The snippets of docs/deployment.md and the files it points to, with the real programs."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.examples.running import FOLDER
from tests.support.backends import APACHE_MODULE_FOLDERS, wsgidav
from tests.support.gate import ALAN, Gate, running_gate
from tests.support.presign import presigned
from tests.support.processes import (
    child,
    listening,
    public_folder,
    reserved_port,
    running_as_root,
)
from tests.support.programs import program

pytestmark = pytest.mark.real

PAGE = (FOLDER.parent / "docs/deployment.md").read_text()
HOST = "files.example.org"
PATHS = (
    "/a$b.txt",
    "/a%24b.txt",
    "/a[1].txt",
    "/a%5B1%5D.txt",
    "/%C3%BC%20x.txt",
    "/a%2Bb.txt",
    "/a'(!)~;,@:&=+.txt",
    "/100%25.txt",
    "/%7Ea.txt",
)


def snippet(language: str, beginning: str) -> str:
    """Return the code block of the page that begins like this."""
    found = re.findall(
        rf"^```{language}\n({re.escape(beginning)}.*?)^```", PAGE, re.MULTILINE | re.DOTALL
    )
    assert len(found) == 1, (language, beginning)
    return str(found[0])


# In front of the gate -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Front:
    """A proxy with TLS in front of a gate, asked by curl under its public name."""

    gate: Gate
    origin: str
    ca: Path

    def curl(self, *arguments: str) -> list[str]:
        """Return the status, then what `%{http_code} %header{…}` lines were asked for."""
        port = self.origin.rpartition(":")[2]
        argv = [program("curl"), "--silent", "--globoff", "--path-as-is", "--max-time", "30"]
        argv += ["--cacert", str(self.ca), "--resolve", f"{HOST}:{port}:127.0.0.1"]
        done = subprocess.run(
            [*argv, *arguments], capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout.split()

    def status(self, *arguments: str) -> int:
        return int(self.curl(*arguments, "-o", "/dev/null", "-w", "%{http_code}")[0])


@pytest.fixture(scope="module", params=["nginx", "caddy", "apache"])
def front(request: pytest.FixtureRequest) -> Generator[Front]:
    with public_folder() as folder, wsgidav() as backend, reserved_port() as port:
        authority = trustme.CA()
        certificate = authority.issue_cert(HOST)
        authority.cert_pem.write_to_path(folder / "ca.pem")
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
        (folder / "chain.pem").write_bytes(chain)
        origin = f"https://{HOST}:{port}"
        env = {"OCGATE_TRUSTED_PROXIES": "127.0.0.1/32", "OC_URL": origin}
        with running_gate(backend.origin, env=env) as gate:
            configure = {"nginx": nginx_front, "caddy": caddy_front, "apache": apache_front}
            argv = configure[request.param](folder, port, gate.port)
            home = {**os.environ, "HOME": str(folder)}
            with child(argv, output=folder / "output", ready=lambda: listening(port), env=home):
                yield Front(gate, origin, folder / "ca.pem")


def nginx_front(folder: Path, port: int, gate: int) -> list[str]:
    text = (FOLDER / "nginx.conf").read_text()
    for line in snippet("nginx", "location / {").splitlines():
        assert line.strip() in text
    server = replaced(
        text,
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        (f"/etc/ssl/{HOST}/fullchain.pem", f"{folder}/chain.pem"),
        (f"/etc/ssl/{HOST}/privkey.pem", f"{folder}/key.pem"),
        ("http://127.0.0.1:9200", f"http://127.0.0.1:{gate}"),
    )
    return nginx_with(folder, server)


def nginx_with(folder: Path, server: str) -> list[str]:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    user = "user www-data;\n" if running_as_root() else ""
    config = folder / "nginx.conf"
    config.write_text(
        f"{user}daemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{server}\n}}\n"
    )
    return [program("nginx"), "-e", f"{folder}/error.log", "-p", str(folder), "-c", str(config)]


def caddy_front(folder: Path, port: int, gate: int) -> list[str]:
    pair = f"{folder}/chain.pem {folder}/key.pem"
    site = replaced(
        (FOLDER / "Caddyfile").read_text(),
        (f"\n{HOST} {{", f"\nhttps://{HOST}:{port} {{\n\tbind 127.0.0.1\n\ttls {pair}"),
        ("reverse_proxy 127.0.0.1:9200", f"reverse_proxy 127.0.0.1:{gate}"),
    )
    config = folder / "Caddyfile"
    config.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + site)
    return [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(config)]


def apache_front(folder: Path, port: int, gate: int) -> list[str]:
    inside = replaced(
        snippet("apache", "AllowEncodedSlashes"), ("127.0.0.1:9200", f"127.0.0.1:{gate}")
    )
    return apache_with(
        folder,
        ("proxy", "proxy_http", "headers", "ssl"),
        f"Listen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\nSSLEngine on\n"
        f"SSLCertificateFile {folder}/chain.pem\nSSLCertificateKeyFile {folder}/key.pem\n"
        f"{inside}</VirtualHost>\n",
    )


def apache_with(folder: Path, modules: Iterable[str], text: str) -> list[str]:
    server = program("apache2")
    home = next(place for place in APACHE_MODULE_FOLDERS if Path(place).is_dir())
    lines = [
        f"LoadModule {name}_module {home}/mod_{name}.so"
        for name in ("mpm_event", "authz_core", *modules)
    ]
    if running_as_root():
        lines += ["User www-data", "Group www-data"]
    state = folder / "apache"
    state.mkdir()
    state.chmod(0o777)
    lines += [f"ServerName {HOST}", f"PidFile {folder}/apache.pid", f"ErrorLog {folder}/error.log"]
    lines += [f"ServerRoot {folder}", f"DefaultRuntimeDir {state}", f"Mutex file:{state} default"]
    config = folder / "apache.conf"
    config.write_text("\n".join(lines) + "\n" + text)
    return [server, "-f", str(config), "-DFOREGROUND"]


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def test_signatures_survive_the_proxy_whatever_the_path(front: Front) -> None:
    key = front.gate.signing_key()
    for path in PATHS:
        put = presigned(front.origin + path, user="alan", key=key, method="PUT")
        get = presigned(front.origin + path, user="alan", key=key)
        assert front.status("-X", "PUT", "--data-binary", "hello", put) in (201, 204), path
        assert front.curl(get) == ["hello"], path
        assert front.status(get.replace("OC-Expires=1200", "OC-Expires=1201")) == 401


def test_the_gate_knows_the_public_name_and_scheme(front: Front) -> None:
    auth = ("-u", ":".join(ALAN))
    seen = front.curl(*auth, "-D-", "-o", "/dev/null", f"{front.origin}/")
    assert any(word.lower() == "strict-transport-security:" for word in seen)
    assert front.status(*auth, "-T", __file__, f"{front.origin}/one.txt") == 201
    there = f"Destination: {front.origin}/two.txt"
    assert front.status(*auth, "-X", "MOVE", "-H", there, f"{front.origin}/one.txt") == 201


def test_nobody_can_claim_another_address(front: Front) -> None:
    front.status(
        "-u", "mary:wrong", "-H", "X-Forwarded-For: 203.0.113.9", f"{front.origin}/claimed"
    )
    (line,) = [entry for entry in front.gate.printed().splitlines() if '"/claimed"' in entry]
    assert '"client.address":"127.0.0.1"' in line


# Behind the gate ------------------------------------------------------------------------------


@contextlib.contextmanager
def apache_backend(folder: Path, files: Path, port: int) -> Generator[None]:
    text = replaced(
        snippet("apache", "Listen 127.0.0.1:8081"),
        ("127.0.0.1:8081", f"127.0.0.1:{port}"),
        ("/srv/files", str(files)),
        ("/var/lock/apache2/DavLock", f"{folder}/apache/DavLock"),
    )
    argv = apache_with(folder, ("dav", "dav_fs"), text)
    with child(argv, output=folder / "output", ready=lambda: listening(port)):
        yield


@contextlib.contextmanager
def nginx_backend(folder: Path, files: Path, port: int) -> Generator[None]:
    text = replaced(
        snippet("nginx", "server {"),
        ("127.0.0.1:8081", f"127.0.0.1:{port}"),
        ("/srv/files", str(files)),
    )
    argv = nginx_with(folder, text)
    with child(argv, output=folder / "output", ready=lambda: listening(port)):
        yield


@contextlib.contextmanager
def rclone_backend(folder: Path, files: Path, port: int) -> Generator[None]:
    (line,) = re.findall(r"^\$ (rclone serve .*)$", PAGE, re.MULTILINE)
    line = replaced(line, ("127.0.0.1:8081", f"127.0.0.1:{port}"), ("/srv/files", str(files)))
    argv = [program("rclone"), *line.split()[1:]]
    env = {**os.environ, "RCLONE_CONFIG": str(folder / "rclone.conf")}
    with child(argv, output=folder / "output", ready=lambda: listening(port), env=env):
        yield


BACKENDS = {"apache": apache_backend, "nginx": nginx_backend, "rclone": rclone_backend}


@pytest.mark.parametrize("name", list(BACKENDS))
def test_a_file_server_of_the_page_works_behind_the_gate(name: str) -> None:
    with public_folder() as folder, reserved_port() as port:
        files = folder / "files"
        files.mkdir()
        files.chmod(0o777)
        with (
            BACKENDS[name](folder, files, port),
            running_gate(f"http://127.0.0.1:{port}") as gate,
        ):
            assert gate.ask_presigned("PUT", "/a%20b.txt", body=b"hello").status == 201
            assert (files / "a b.txt").read_bytes() == b"hello"
            part = gate.ask_presigned("GET", "/a%20b.txt", headers={"Range": "bytes=1-2"})
            assert (part.status, part.body) == (206, b"el")
            there = {"Destination": f"{gate.origin}/c.txt"}
            assert gate.ask("MOVE", "/a%20b.txt", headers=there).status in (201, 204)
            assert sorted(path.name for path in files.iterdir()) == ["c.txt"]
            listed = gate.ask("PROPFIND", "/", headers={"Depth": "1"})
            assert listed.status == (405 if name == "nginx" else 207)


# Beside the gate ------------------------------------------------------------------------------


def test_fail2ban_s_filter_finds_who_guesses_and_nobody_else() -> None:
    text = (FOLDER / "fail2ban-ocgate.conf").read_text()
    (pattern,) = re.findall(r"^failregex = (.*)$", text, re.MULTILINE)
    guesses = re.compile(pattern.replace("<ADDR>", r"(?P<address>[0-9a-f.:]+)"))
    with wsgidav() as backend, running_gate(backend.origin, env={"OC_LOG_LEVEL": "info"}) as gate:
        gate.ask("GET", "/", auth=("alan", "wrong"))
        gate.ask("GET", "/", auth=('a"\\b', "wrong"))
        forged = '/{"reason":"wrong_password","user":"","client.address":"203.0.113.9","path":""}'
        gate.ask("GET", forged.replace('"', "%22"), auth=None)
        gate.ask("GET", "/?OC-Signature=00", auth=None)
        gate.ask("GET", "/", auth=ALAN)
        found = [guesses.search(line) for line in gate.printed().splitlines()]
    assert [match["address"] for match in found if match] == ["127.0.0.1"] * 2


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "ocgate.service"
    ocgate = Path(sys.executable).with_name("ocgate")
    text = replaced(
        (FOLDER / "ocgate.service").read_text(), ("/opt/ocgate/.venv/bin/ocgate", str(ocgate))
    )
    unit.write_text(text)
    argv = [program("systemd-analyze"), "verify", str(unit)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    unit.write_text(text.replace("ExecStart=", "ExecStrat="))
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
