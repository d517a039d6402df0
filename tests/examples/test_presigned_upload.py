import importlib.util
import json
import re
import subprocess
import sys
from datetime import datetime
from types import ModuleType
from urllib.parse import parse_qsl

import pytest

from tests.examples.running import FOLDER
from tests.support.asking import ask
from tests.support.backends import wsgidav
from tests.support.gate import ALAN, running_gate
from tests.support.presign import target_of

CONTENT = bytes(range(256)) * 1000
NAME = "/gr%C3%B6%C3%9Fe%20%5B1%5D%20$5.bin"


def run(*arguments: str, password: str) -> "subprocess.CompletedProcess[bytes]":
    argv = [sys.executable, str(FOLDER / "presigned_upload.py"), *arguments]
    env = {"PASSWORD": password}
    return subprocess.run(
        argv, env=env, input=CONTENT, capture_output=True, timeout=60, check=False
    )


def test_it_uploads_and_prints_a_link_that_downloads() -> None:
    with wsgidav() as backend, running_gate(backend.origin) as gate:
        done = run(gate.origin + NAME, ALAN[0], password=ALAN[1])
        assert done.returncode == 0, done.stderr
        assert (backend.files / "größe [1] $5.bin").read_bytes() == CONTENT
        link = done.stdout.decode().strip()
        assert ask(gate.origin, "GET", target_of(link)).body == CONTENT
        refused = run(gate.origin + "/other.bin", ALAN[0], password="wrong")
        assert refused.returncode != 0
        assert b"401" in refused.stderr
        assert not (backend.files / "other.bin").exists()


@pytest.fixture(scope="module")
def client() -> ModuleType:
    spec = importlib.util.spec_from_file_location("client", FOLDER / "presigned_upload.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_its_signatures_are_those_that_a_real_server_accepts(client: ModuleType) -> None:
    vectors = json.loads((FOLDER.parent / "tests/core/presigned.json").read_text())["vectors"]
    signed: list[str] = []
    different: list[str] = []
    for vector in vectors:
        given = dict(parse_qsl(vector["target"].partition("?")[2], keep_blank_values=True))
        path, _, query = vector["target"].partition("?")
        others = "&".join(pair for pair in query.split("&") if not pair.startswith("OC-"))
        target = f"{path}?{others}" if others else path
        usual = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", given.get("OC-Date", ""))
        if vector["opencloud"] != "accept" or vector["ocgate"] != "accept" or not usual:
            continue
        url = client.presigned(
            f"{vector['scheme']}://{vector['host']}{target}",
            user=given["OC-Credential"],
            key=vector["key"],
            method=given["OC-Verb"],
            expires=int(given["OC-Expires"]),
            now=datetime.fromisoformat(given["OC-Date"]),
        )
        same = f"OC-Signature={given['OC-Signature']}" in url
        (signed if same else different).append(vector["name"])
    assert different == []
    assert len(signed) > 30
