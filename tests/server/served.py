"""A child process for the tests of the stop: answers slowly, and says where it listens."""

import asyncio
import sys

from starlette.types import Receive, Scope, Send

from ocgate.server.run import run
from tests.support.door import lifespan, respond

PARTS = 10


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["path"] == "/transfer":
        length = (b"content-length", b"%d" % (PARTS * 100_000))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        for number in range(PARTS):
            await asyncio.sleep(0.1)
            part = {"type": "http.response.body", "body": b"x" * 100_000}
            await send({**part, "more_body": number + 1 < PARTS})
    elif scope["path"] == "/never":
        await asyncio.sleep(1000)
    else:
        await asyncio.sleep(0.01)
        await respond(send, 200, b"ok")


if __name__ == "__main__":
    run(
        app,
        addr="127.0.0.1:0",
        grace=float(sys.argv[1]),
        on_listening=lambda urls: print(*urls, flush=True),
    )
