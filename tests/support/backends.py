"""Real file servers to stand behind the gate, each on its own port and folder."""

import contextlib
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from tests.support.asking import Answer, ask
from tests.support.processes import (
    child,
    listening,
    public_folder,
    reserved_port,
    running_as_root,
)
from tests.support.programs import program

APACHE_MODULES = ("mpm_event", "authz_core", "mime", "dav", "dav_fs")
APACHE_MODULE_FOLDERS = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules")


@dataclass(frozen=True, slots=True)
class Backend:
    """A running file server without any authentication of its own."""

    name: str
    origin: str
    """`http://127.0.0.1:<port>`"""
    files: Path
    """The folder that it serves as `/`."""
    pid: int

    def ask(self, method: str, target: str, **options: object) -> Answer:
        """Send one request straight to it, for the comparison with the gate."""
        return ask(self.origin, method, target, **options)  # type: ignore[arg-type]


@contextlib.contextmanager
def apache() -> Generator[Backend]:
    """Run Apache with mod_dav over an empty folder."""
    server = program("apache2")
    modules = next(folder for folder in APACHE_MODULE_FOLDERS if Path(folder).is_dir())
    with public_folder() as folder, reserved_port() as port:
        files = _shared(folder / "files")
        locks = _shared(folder / "locks")
        lines = [f"LoadModule {name}_module {modules}/mod_{name}.so" for name in APACHE_MODULES]
        if running_as_root():
            lines += ["User www-data", "Group www-data"]
        lines += [
            f"ServerRoot {folder}",
            f"PidFile {folder}/apache.pid",
            f"ErrorLog {folder}/error.log",
            f"DefaultRuntimeDir {locks}",
            f"Mutex file:{locks} default",
            f"Listen 127.0.0.1:{port}",
            f"ServerName 127.0.0.1:{port}",
            "TypesConfig /dev/null",
            f"DocumentRoot {files}",
            f"DavLockDB {locks}/dav",
            "KeepAliveTimeout 30",
            "MaxKeepAliveRequests 0",
            # 0 means no limit; the built-in one is 1 GiB
            "LimitRequestBody 0",
            "LimitXMLRequestBody 0",
            "StartServers 1",
            f"<Directory {files}>",
            "  Dav On",
            "  AddType text/html .html",
            "</Directory>",
        ]
        config = folder / "apache.conf"
        config.write_text("\n".join(lines) + "\n")
        argv = [server, "-f", str(config), "-DFOREGROUND"]
        with child(argv, output=folder / "output", ready=lambda: listening(port)) as process:
            yield Backend("apache", f"http://127.0.0.1:{port}", files, process.pid)


@contextlib.contextmanager
def nginx() -> Generator[Backend]:
    """Run nginx: static files, with PUT, DELETE, MKCOL, COPY and MOVE (no PROPFIND)."""
    server = program("nginx")
    with public_folder() as folder, reserved_port() as port:
        files = _shared(folder / "files")
        bodies = _shared(folder / "bodies")
        user = "user www-data;" if running_as_root() else ""
        config = folder / "nginx.conf"
        config.write_text(
            f"""
            {user}
            daemon off;
            worker_processes 1;
            pid {folder}/nginx.pid;
            error_log {folder}/error.log warn;
            events {{ worker_connections 256; }}
            http {{
                access_log off;
                default_type application/octet-stream;
                client_body_temp_path {bodies};
                proxy_temp_path {folder}/proxy;
                fastcgi_temp_path {folder}/fastcgi;
                uwsgi_temp_path {folder}/uwsgi;
                scgi_temp_path {folder}/scgi;
                server {{
                    listen 127.0.0.1:{port};
                    root {files};
                    client_max_body_size 0;
                    dav_methods PUT DELETE MKCOL COPY MOVE;
                    create_full_put_path on;
                }}
            }}
            """
        )
        argv = [server, "-e", f"{folder}/error.log", "-p", str(folder), "-c", str(config)]
        with child(argv, output=folder / "output", ready=lambda: listening(port)) as process:
            yield Backend("nginx", f"http://127.0.0.1:{port}", files, process.pid)


@contextlib.contextmanager
def wsgidav() -> Generator[Backend]:
    """Run wsgidav, a WebDAV server in Python, with anonymous access."""
    server = program("wsgidav")
    with public_folder() as folder, reserved_port() as port:
        files = _shared(folder / "files")
        argv = [sys.executable, server, "--no-config", "--host=127.0.0.1", f"--port={port}"]
        argv += [f"--root={files}", "--auth=anonymous", "--server=cheroot", "--quiet"]
        with child(argv, output=folder / "output", ready=lambda: listening(port)) as process:
            yield Backend("wsgidav", f"http://127.0.0.1:{port}", files, process.pid)


def _shared(folder: Path) -> Path:
    """Make a folder that a server under any user may write to."""
    folder.mkdir()
    folder.chmod(0o777)
    return folder
