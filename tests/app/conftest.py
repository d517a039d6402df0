from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import bcrypt
import httpx
import pytest

from ocgate.app import Gate, create_gate
from ocgate.config.load import load
from tests.support.recorder import Recorder

ALAN = ("alan", "demo")

Client = Callable[..., httpx.AsyncClient]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.fixture
def environ(tmp_path: Path, recorder: Recorder) -> dict[str, str]:
    """The environment of a gate in front of the recorder, with one user."""
    users = tmp_path / "users.htpasswd"
    digest = bcrypt.hashpw(ALAN[1].encode(), bcrypt.gensalt(4)).decode()
    users.write_text(f"{ALAN[0]}:{digest}\n")
    return {
        "OC_BASE_DATA_PATH": str(tmp_path),
        "OC_CONFIG_DIR": str(tmp_path),
        "OCGATE_UPSTREAM": recorder.origin,
        "PROXY_ENABLE_BASIC_AUTH": "true",
        "OCGATE_USERS_FILE": str(users),
    }


@asynccontextmanager
async def gate_of(environ: dict[str, str]) -> AsyncGenerator[tuple[Gate, httpx.AsyncClient]]:
    """Compose a gate and a client that speaks to it without a server between them."""
    gate = create_gate(load(environ).settings, environ=environ)
    transport = httpx.ASGITransport(gate)
    async with httpx.AsyncClient(transport=transport, base_url="http://gate") as client:
        yield gate, client
    await gate.aclose()
