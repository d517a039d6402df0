import importlib.util
import re
from pathlib import Path
from types import ModuleType

import httpx
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/csp_only.py"


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("csp_only", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def ask(module: ModuleType) -> httpx.Response:
    transport = httpx.ASGITransport(module.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.get("/")


async def test_the_page_s_script_has_the_nonce_of_its_policy() -> None:
    response = await ask(example())
    assert response.status_code == 200
    match = re.search(r'<script nonce="([^"]+)">', response.text)
    assert match is not None
    assert response.headers["content-security-policy"] == (
        "base-uri 'none'; connect-src 'self'; default-src 'none'; frame-ancestors 'none'; "
        f"script-src 'nonce-{match[1]}'"
    )


async def test_another_origin_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPLOAD_ORIGIN", "https://files.example.org")
    response = await ask(example())
    policy = response.headers["content-security-policy"]
    assert "connect-src 'self' https://files.example.org;" in policy
