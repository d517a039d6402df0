"""What a real browser makes of the headers: policies are enforced, origins told apart."""

import json
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate_middleware.cors import CORSMiddleware
from ocgate_middleware.csp import CSP_NONCE, CSPMiddleware
from ocgate_middleware.security_headers import SecurityHeadersMiddleware
from tests.support.browser import chromium
from tests.support.programs import program
from tests.support.served import served

POLICY = "default-src 'none'; connect-src 'self' {api}; img-src *; script-src $NONCE"
OWN = b"connect-src *; img-src 'none'; script-src 'unsafe-inline'"
PAGE = """<!doctype html><script nonce="{nonce}">
const seen = {{ violations: [] }};
addEventListener("securitypolicyviolation", (event) =>
  seen.violations.push([event.effectiveDirective, event.disposition]));
const ask = async (name, options) => {{
  try {{
    const answer = await fetch("{api}/files/a", options);
    seen[name] = [answer.status, answer.headers.get("etag"), answer.headers.get("x-hidden")];
  }} catch (error) {{ seen[name] = error.name; }}
}};
addEventListener("load", async () => {{
  await ask("refused", {{ method: "PUT", body: "x", headers: {{ "x-odd": "1" }} }});
  await ask("unknown", {{}});
  await ask("uploaded", {{ method: "PUT", body: "x", headers: {{ authorization: "t" }} }});
  try {{ await fetch("{elsewhere}"); }} catch {{ seen.elsewhere = "blocked"; }}
  const image = new Image();
  await new Promise((done) => {{ image.onload = image.onerror = done; image.src = "/image"; }});
  seen.image = seen.violations.some(([name]) => name === "img-src") ? "blocked" : "asked for";
  await fetch("/report", {{ method: "POST", body: JSON.stringify(seen) }});
}});
</script><script>seen.inline = "ran";</script>"""


async def read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def answer(send: Send, status: int, *headers: tuple[bytes, bytes], body: bytes = b"") -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def api(scope: Scope, receive: Receive, send: Send) -> None:
    """Ask for a credential; let everything that has one in."""
    await read(receive)
    known = any(name == b"authorization" for name, _ in scope["headers"])
    headers = ((b"etag", b'"1"'), (b"x-hidden", b"1"), (b"access-control-allow-origin", b"null"))
    await answer(send, 201 if known else 401, *headers)


class Pages:
    """A page with a policy of its own beside the middleware's; what it reports is in `seen`."""

    def __init__(self, api_origin: str) -> None:
        self.api_origin = api_origin
        self.seen: list[Any] = []
        self.reports: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            sink = self.seen if scope["path"] == "/report" else self.reports
            sink.append(json.loads(await read(receive)))
            await answer(send, 204)
            return
        elsewhere = self.api_origin.replace("api", "elsewhere")
        page = PAGE.format(nonce=scope.get(CSP_NONCE), api=self.api_origin, elsewhere=elsewhere)
        headers = ((b"content-type", b"text/html"), (b"content-security-policy", OWN))
        await answer(send, 200, *headers, body=page.encode())


class Hosts:
    """One server for both origins, told apart by their host name once the port is known."""

    def __init__(self) -> None:
        self.apps: dict[bytes, ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = dict(scope["headers"])[b"host"].partition(b".")[0]
        await self.apps[host](scope, receive, send)


def test_policies_are_enforced_together_and_origins_are_told_apart() -> None:
    program("chromium")
    hosts = Hosts()
    with served(hosts) as port:
        pages = Pages(f"http://api.localhost:{port}")
        hosts.apps[b"api"] = CORSMiddleware(
            api, allow_origins=[f"http://*.localhost:{port}"], expose_headers=["ETag"]
        )
        hosts.apps[b"app"] = SecurityHeadersMiddleware(
            CSPMiddleware(
                pages,
                policy=POLICY.format(api=pages.api_origin),
                report_only="connect-src 'self'; report-uri /csp",
            )
        )
        with chromium(f"http://app.localhost:{port}/") as browser:
            browser.wait_for(lambda: pages.seen and pages.reports)
            console = browser.console()
    [seen] = pages.seen
    assert seen["refused"] == "TypeError", console
    assert seen["unknown"] == [401, '"1"', None], console
    assert seen["uploaded"] == [201, '"1"', None], console
    assert "inline" not in seen  # ours forbids it, the page's own allows it
    assert seen["image"] == "blocked"  # the page's own forbids it, ours allows it
    assert seen["elsewhere"] == "blocked"
    assert ["connect-src", "report"] in seen["violations"]
    assert ["connect-src", "enforce"] in seen["violations"]
    assert pages.reports[0]["csp-report"]["effective-directive"] == "connect-src"
