"""An application of your own behind passwords and presigned URLs.

    python examples/any_asgi_app.py            # prints an address
    curl -u alan:demo http://127.0.0.1:…/link  # a link to the report that works for ten minutes
    curl '<that link>'                         # by anybody who has it, for this page only

The middlewares know nothing of Starlette: any ASGI application will do.
"""

import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from ocgate.core.identity import principal_of
from ocgate.core.sign_url import sign_url
from ocgate.directory.users_file import load_users
from ocgate.stores.signing_keys import SigningKeys
from ocgate.stores.sqlite import SQLiteStore
from ocgate.stores.sqlite_file import SQLiteFile
from ocgate_middleware.basic import BasicAuthMiddleware
from ocgate_middleware.errors import ErrorMiddleware
from ocgate_middleware.presigned_url import PresignedURLMiddleware
from ocgate_middleware.require_principal import RequirePrincipalMiddleware

HERE = Path(__file__).resolve().parent
users = load_users(HERE / "users.htpasswd")
file = SQLiteFile(os.environ.get("KEYS_FILE", HERE.parent / ".demo" / "keys.sqlite"))
keys = SigningKeys(
    SQLiteStore(file, database="any_asgi_app", table="signing-keys"),
    SQLiteStore(file, database="any_asgi_app", table="previous-signing-keys"),
    ttl=timedelta(hours=24),
    grace=timedelta(0),
)


async def report(request: Request) -> PlainTextResponse:
    """Answer with something that only some people may read."""
    principal = principal_of(request.scope)
    return PlainTextResponse(f"{principal.account.name}, by {principal.proven_by}\n")


async def link(request: Request) -> PlainTextResponse:
    """Answer with a presigned URL of the report, which acts for whoever asks here."""
    account = principal_of(request.scope).account
    url = sign_url(
        str(request.base_url) + "report",
        user=account.name,
        method="GET",
        expires=600,
        key=await keys.find_or_create(account.id),
        now=datetime.now(UTC),
    )
    return PlainTextResponse(url + "\n")


app: ASGIApp = Starlette(routes=[Route("/report", report), Route("/link", link)])
app = RequirePrincipalMiddleware(app)
app = BasicAuthMiddleware(app, users=users, realm="reports")
app = PresignedURLMiddleware(app, keys=keys, accounts=users)
app = ErrorMiddleware(app)


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        config = uvicorn.Config(app, log_level="warning")
        uvicorn.Server(config).run(sockets=[listening])
