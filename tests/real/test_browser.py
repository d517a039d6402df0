"""A page in a real browser signs its own URLs and uses them, under the shipped policy."""

import contextlib
import hashlib
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.support.backends import Backend
from tests.support.browser import PageServer, chromium, page_server
from tests.support.gate import Gate, running_gate
from tests.support.programs import program

SCRIPT = (Path(__file__).parent / "page.js").read_bytes()
NAME = "größe & [1] $5 + 100%.bin"


@pytest.fixture
def pages() -> Generator[PageServer]:
    program("chromium")
    with page_server() as server:
        server.pages["/page.js"] = ("text/javascript", SCRIPT)
        server.pages["/"] = ("text/html", b"<!doctype html><script src=/page.js></script>")
        yield server


@contextlib.contextmanager
def gate_for(
    apache: Backend, folder: Path, *, allowed: str, connect: str = "${OC_URL}"
) -> Generator[Gate]:
    """Run a gate whose policy is the shipped one with one more source, as docs/csp.md says."""
    added = folder / "added.yaml"
    added.write_text(f"directives:\n  connect-src:\n    - '{connect}'\n")
    env = {
        "PROXY_CSP_CONFIG_FILE_LOCATION": str(added),
        "OC_CORS_ALLOW_ORIGINS": allowed,
    }
    with running_gate(apache.origin, env=env) as gate:
        yield gate


def policy(gate: Gate) -> str:
    sent = gate.ask("GET", "/", auth=None).header("Content-Security-Policy")
    assert sent is not None
    return sent


def reported(pages: PageServer, gate: Gate) -> Any:
    """Open the page on its own origin and return its report."""
    query = urlencode({"gate": gate.origin, "path": "/" + quote(NAME, safe="&[]$+")})
    with chromium(f"{pages.origin}/?{query}") as browser:
        browser.wait_for(lambda: pages.reports)
        return pages.reports[0] | {"console": browser.console()}


def test_a_page_of_another_origin_signs_uploads_and_downloads(
    apache: Backend, pages: PageServer, tmp_path: Path
) -> None:
    with gate_for(apache, tmp_path, allowed=pages.origin) as gate:
        pages.policy = policy(gate)
        assert "connect-src 'self' blob: " in pages.policy
        assert gate.origin in pages.policy
        report = reported(pages, gate)
    assert report["step"] == "done", report
    assert report["origin"] == pages.origin != gate.origin
    assert report["uploaded"] in (201, 204)
    assert (report["downloaded"], report["same"]) == (200, True)
    assert (report["part"], report["samePart"]) == (206, True)
    assert report["etag"]
    assert report["forged"] == 401  # readable for the page, so it may fetch a new key
    stored = (apache.files / NAME).read_bytes()
    assert hashlib.sha256(stored).hexdigest() == report["sha256"]


def test_a_page_of_an_origin_that_is_not_allowed_gets_nothing(
    apache: Backend, pages: PageServer, tmp_path: Path
) -> None:
    with gate_for(apache, tmp_path, allowed="https://web.example.org") as gate:
        pages.policy = policy(gate)
        report = reported(pages, gate)
    assert report["step"] == "signing key"
    assert "Failed to fetch" in report["error"]
    assert "violation" not in report
    assert "CORS" in report["console"]


def test_without_the_gate_among_its_sources_the_policy_stops_the_page(
    apache: Backend, pages: PageServer, tmp_path: Path
) -> None:
    with gate_for(apache, tmp_path, allowed=pages.origin, connect="https://no.example") as gate:
        pages.policy = policy(gate)
        report = reported(pages, gate)
    assert report["step"] == "signing key"
    assert report["violation"] == "connect-src"


def test_a_page_behind_the_gate_signs_uploads_and_downloads(
    apache: Backend, tmp_path: Path
) -> None:
    """Its own policy is the gate's, and it is opened by a presigned URL itself."""
    program("chromium")
    page = b"<!doctype html><script>" + SCRIPT + b"</script>"
    (apache.files / "page.html").write_bytes(page)
    answer = apache.files / "report.json"
    answer.unlink(missing_ok=True)
    with running_gate(apache.origin) as gate:
        query = urlencode({"gate": gate.origin, "path": "/own.bin", "report": "upload"})
        with chromium(gate.presigned("GET", f"/page.html?{query}")) as browser:
            browser.wait_for(lambda: answer.exists() and answer.read_bytes())
        report = json.loads(answer.read_bytes())
    assert report["step"] == "done", report
    assert report["origin"] == gate.origin
    assert (report["downloaded"], report["same"], report["samePart"]) == (200, True, True)
    stored = (apache.files / "own.bin").read_bytes()
    assert hashlib.sha256(stored).hexdigest() == report["sha256"]
