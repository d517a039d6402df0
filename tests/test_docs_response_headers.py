"""The examples in the pages about response headers run as they are printed."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

DOCS = Path(__file__).parent.parent / "docs"
EXAMPLES = [
    pytest.param(code, header, id=f"{page}-{index}")
    for page, header in (
        ("csp", "content-security-policy"),
        ("security_headers", "x-frame-options"),
        ("cors", "access-control-allow-origin"),
    )
    for index, code in enumerate(
        re.findall(
            r"^```python\n(.*?)^```", (DOCS / f"{page}.md").read_text(), re.DOTALL | re.MULTILINE
        )
    )
]


@pytest.mark.parametrize(("code", "header"), EXAMPLES)
async def test_an_example_runs(code: str, header: str) -> None:
    namespace: dict[str, Any] = {}
    exec(compile(code, "example", "exec"), namespace)
    transport = httpx.ASGITransport(namespace["app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://gate") as client:
        response = await client.get("/", headers={"Origin": "https://app.example.com"})
    assert response.text == "hello"
    assert response.headers[header]


def test_every_page_has_an_example() -> None:
    assert len(EXAMPLES) == 4
