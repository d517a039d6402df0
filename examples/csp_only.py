"""One middleware alone: a Content-Security-Policy around any ASGI application.

    python examples/csp_only.py

prints an address; `curl -i` it and look at the header.
"""

import os
import socket
from pathlib import Path

import uvicorn
from starlette.types import Receive, Scope, Send

from ocgate.config.csp_file import load_policy
from ocgate_middleware.csp import CSP_NONCE, CSPMiddleware

PAGE = """<!doctype html><title>csp_only</title>
<p id="seen">The script was blocked.</p>
<script nonce="{nonce}">seen.textContent = "The script was allowed."</script>
"""


async def page(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer every request with a page whose only script carries the response's nonce."""
    body = PAGE.format(nonce=scope[CSP_NONCE]).encode()
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


# From a file in the family's form; a mapping or the text of a header will do as well.
policy = load_policy([Path(__file__).with_name("csp_only.yaml")], environ=os.environ).policy
app = CSPMiddleware(page, policy=policy)


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}/", flush=True)
        config = uvicorn.Config(app, lifespan="off", log_level="warning")
        uvicorn.Server(config).run(sockets=[listening])
