"""What the pages say is so: their Python runs, their links lead somewhere, their names exist."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocgate.cli import COMMANDS, parser
from ocgate.config.family import family_names
from ocgate.config.table import VARIABLES
from tests.support.asking import basic

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

SENT_HEADERS = {
    "docs/csp.md": "content-security-policy",
    "docs/cors.md": "access-control-allow-origin",
    "docs/security_headers.md": "x-frame-options",
}


def blocks(name: str, language: str) -> list[str]:
    text = (ROOT / name).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def executed(name: str) -> Iterator[dict[str, Any]]:
    """Run the Python blocks of a page one after the other; yields what there is after each."""
    namespace: dict[str, Any] = {}
    for number, code in enumerate(blocks(name, "python"), 1):
        namespace.pop("app", None)
        exec(compile(code, f"{name}, block {number}", "exec"), namespace)
        yield namespace


async def ask(app: Any, path: str = "/", **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gate"
    ) as client:
        return await client.get(path, headers=headers)


@pytest.mark.parametrize("name", [name for name in NAMES if blocks(name, "python")])
async def test_the_python_of_a_page_runs(name: str) -> None:
    for namespace in executed(name):
        if "app" not in namespace:
            continue
        response = await ask(namespace["app"], Origin="https://app.example.com")
        assert response.status_code in (200, 401, 403, 404)
        if name in SENT_HEADERS:
            assert response.text == "hello"
            assert response.headers[SENT_HEADERS[name]]


async def test_an_authenticator_in_20_lines_lets_its_own_in_and_nobody_else() -> None:
    page = next(n for n in executed("docs/middlewares.md") if "APIKeyMiddleware" in n)
    assert (await ask(page["app"], **{"X-API-Key": "a long random text"})).text == "hello"
    assert (await ask(page["app"], **{"X-API-Key": "another text"})).status_code == 401
    assert (await ask(page["app"])).status_code == 401


async def test_the_password_of_the_page_is_asked_for() -> None:
    page = next(n for n in executed("docs/middlewares.md") if "BasicAuthMiddleware" in n)
    right = await ask(page["app"], Authorization=basic("alan", "demo"))
    wrong = await ask(page["app"], Authorization=basic("alan", "wrong"))
    assert (right.status_code, right.text, wrong.status_code) == (200, "hello", 401)
    assert wrong.headers["www-authenticate"] == 'Basic realm="files", charset="UTF-8"'


PRESIGNED = "docs/presigned_urls.md"
KEY = "0123456789abcdef" * 8


def printed_signature() -> str:
    found = re.search(r"^`([0-9a-f]{64})`\.$", (ROOT / PRESIGNED).read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


async def test_the_signer_and_the_middleware_of_the_page_understand_each_other() -> None:
    (*_, page) = executed(PRESIGNED)
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    presigned = page["presigned"]
    url = presigned("https://files.example.org/a%20b.txt?x=1", user="alan", key=KEY, now=when)
    assert url.endswith(f"OC-Signature={printed_signature()}")
    fresh = presigned("https://files.example.org/a%20b.txt?x=1", user="alan", key=KEY)
    target = fresh.removeprefix("https://files.example.org")
    assert (await ask(page["app"], target, Host="files.example.org")).text == "hello alan"
    forged = target.replace("x=1", "x=2")
    assert (await ask(page["app"], forged, Host="files.example.org")).status_code == 401


def test_the_signer_in_javascript_makes_the_same_url(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    (python,) = (n["presigned"] for n in list(executed(PRESIGNED))[:1])
    (code,) = blocks(PRESIGNED, "javascript")
    urls = [
        "https://files.example.org/a%20b.txt?x=1",
        "https://files.example.org/",
        "http://127.0.0.1:9200/gr%C3%B6%C3%9Fe/$[1]%25%27.txt?b=~*'()!&a=%20+%C3%BC&a=&c",
    ]
    asked = "".join(
        f"console.log(await presigned({url!r}, {{ user: 'alan', key: {KEY!r}, now }}));\n"
        for url in (url.replace("'", "%27") for url in urls)
    )
    script = tmp_path / "sign.mjs"
    script.write_text(f"{code}\nconst now = new Date('2026-01-02T03:04:05Z');\n{asked}")
    done = subprocess.run([node, script], capture_output=True, text=True, check=True, timeout=60)
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert done.stdout.splitlines() == [
        python(url.replace("'", "%27"), user="alan", key=KEY, now=when) for url in urls
    ]


def test_the_page_explains_every_reason_for_a_refusal() -> None:
    sources = ("src/ocgate/core/presigned.py", "middleware/ocgate_middleware/presigned_url.py")
    made = re.compile(r'(?:Problem|Rejection|_refused)\(\s*"([a-z_]+)"')
    reasons = {reason for source in sources for reason in made.findall((ROOT / source).read_text())}
    explained = re.findall(r"^\| `([a-z_]+)` \|", (ROOT / PRESIGNED).read_text(), re.MULTILINE)
    assert len(reasons) > 5
    assert reasons <= set(explained)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("name", NAMES)
def test_every_link_of_a_page_leads_somewhere(name: str) -> None:
    page = ROOT / name
    broken: list[str] = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of every `ocgate …` in the console blocks of a page."""
    for block in re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            for part in re.split(r"&&|\||;|\$\(", line.removeprefix("$ ")):
                found = re.match(r"\s*(?:\S*/)?ocgate (.*)", part)
                if found:
                    yield shlex.split(re.sub(r'\)"?.*$', "", found[1]), comments=True)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_of_a_page_exists(name: str) -> None:
    text = (ROOT / name).read_text()
    known = {command for command, _, _ in COMMANDS}
    mentioned = set(re.findall(r"`(?:\S*/)?ocgate ([a-z][a-z-]*)", text))
    assert mentioned <= known
    for words in commands(text):
        assert parser(words[0]).parse_args(words)


def test_commands_are_found_at_all() -> None:
    found = [" ".join(words) for words in commands((ROOT / "README.md").read_text())]
    assert "config check" in found
    assert "serve" in found
    assert "hash-password" in found
    assert any(words.startswith("sign-url --user alan") for words in found)


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_of_a_page_is_read(name: str) -> None:
    text = (ROOT / name).read_text()
    named = set(re.findall(r"\b(?:OC|OCIS|OCS|OCGATE|PROXY|MICRO)_[A-Z0-9_]*[A-Z0-9]\b", text))
    family = family_names("env")
    unknown = {n for n in named if n not in VARIABLES and n.replace("OCIS_", "OC_") not in family}
    # A name before `…` stands for all that begin with it.
    unknown = {
        n for n in unknown if f"{n}_…" not in text or not any(v.startswith(n) for v in VARIABLES)
    }
    assert unknown == set()
