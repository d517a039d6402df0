"""The gate composed by hand: presigned URLs and passwords in front of any WebDAV server.

    rclone serve webdav ./files --addr 127.0.0.1:8081 &
    python examples/in_front_of_a_file_server.py http://127.0.0.1:8081
    curl -u alan:demo http://127.0.0.1:9200/

`ocgate serve` is this with configuration, response headers, metrics and health checks. The
variables `ADDRESS`, `USERS_FILE` and `KEYS_FILE` replace what stands below.
"""

import os
import sys
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Scope

from ocgate.core.header_names import Header
from ocgate.core.identity import principal_of
from ocgate.core.identity_headers import IdentityHeaderNames, identity_headers
from ocgate.directory.users_file import load_users
from ocgate.routes.signing_key import SigningKeyEndpoint
from ocgate.server.run import run
from ocgate.stores.signing_keys import SigningKeys
from ocgate.stores.sqlite import SQLiteStore
from ocgate.stores.sqlite_file import SQLiteFile
from ocgate.upstream.balancer import Upstream
from ocgate.upstream.origin import Origin
from ocgate.upstream.relay import Relay
from ocgate_middleware.access_log import AccessLogMiddleware
from ocgate_middleware.basic import BasicAuthMiddleware
from ocgate_middleware.errors import ErrorMiddleware
from ocgate_middleware.forwarded import ForwardedMiddleware
from ocgate_middleware.presigned_url import PresignedURLMiddleware
from ocgate_middleware.request_id import RequestIdMiddleware
from ocgate_middleware.require_principal import RequirePrincipalMiddleware
from ocgate_middleware.target_guard import TargetGuardMiddleware

HEADERS = IdentityHeaderNames(user="X-Remote-User")


def gate(backend: str, *, users_file: Path, keys_file: Path) -> ASGIApp:
    """Return the app in front of `backend`, an address such as http://127.0.0.1:8081."""
    users = load_users(users_file)
    file = SQLiteFile(keys_file)
    keys = SigningKeys(
        SQLiteStore(file, database="proxy", table="signing-keys"),
        SQLiteStore(file, database="proxy", table="previous-signing-keys"),
        ttl=timedelta(hours=24),
        grace=timedelta(hours=24),
    )
    relay = Relay(Upstream([Origin.parse(backend)]), headers_for=who_asks)
    app: ASGIApp = Router(
        [
            Route("/ocs/{version}/cloud/user/signing-key", SigningKeyEndpoint(keys=keys)),
            Mount("/", relay),
        ]
    )
    # From the inside out; nobody passes the first line without one of the next two.
    app = RequirePrincipalMiddleware(app)
    app = BasicAuthMiddleware(app, users=users)
    app = PresignedURLMiddleware(app, keys=keys, accounts=users)
    app = TargetGuardMiddleware(app)
    app = ErrorMiddleware(app)
    app = RequestIdMiddleware(app)
    app = AccessLogMiddleware(app)
    return ForwardedMiddleware(app)  # trusted=["192.0.2.1/32"] behind a proxy at that address


def who_asks(scope: Scope) -> Iterable[Header]:
    """Return the headers that tell the backend which user it serves."""
    return identity_headers(principal_of(scope), HEADERS)


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    app = gate(
        sys.argv[1],
        users_file=Path(os.environ.get("USERS_FILE", here / "users.htpasswd")),
        keys_file=Path(os.environ.get("KEYS_FILE", here.parent / ".demo" / "keys.sqlite")),
    )
    address = os.environ.get("ADDRESS", "127.0.0.1:9200")
    run(app, addr=address, on_listening=lambda urls: print(*urls, flush=True))
