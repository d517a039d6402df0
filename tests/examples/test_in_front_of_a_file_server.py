import json
from collections.abc import Generator
from dataclasses import dataclass

import pytest

from tests.examples.running import example
from tests.support.asking import ask
from tests.support.backends import Backend, wsgidav
from tests.support.presign import presigned, target_of

ALAN = ("alan", "demo")


@dataclass(frozen=True, slots=True)
class Scene:
    origin: str
    backend: Backend

    @property
    def key(self) -> str:
        answer = ask(
            self.origin, "GET", "/ocs/v2.php/cloud/user/signing-key?format=json", auth=ALAN
        )
        key: str = json.loads(answer.body)["ocs"]["data"]["signing-key"]
        return key


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Generator[Scene]:
    folder = tmp_path_factory.mktemp("example")
    env = {"ADDRESS": "127.0.0.1:0", "KEYS_FILE": str(folder / "keys.sqlite")}
    with (
        wsgidav() as backend,
        example("in_front_of_a_file_server", backend.origin, env=env, folder=folder) as origin,
    ):
        yield Scene(origin, backend)


def test_nobody_gets_in_without_a_credential(scene: Scene) -> None:
    (scene.backend.files / "a.txt").write_text("a")
    assert ask(scene.origin, "GET", "/a.txt").status == 401
    assert ask(scene.origin, "GET", "/a.txt", auth=("alan", "wrong")).status == 401
    assert ask(scene.origin, "GET", "/a.txt", auth=ALAN).body == b"a"
    assert ask(scene.origin, "GET", "/x/%2e%2e/a.txt", auth=ALAN).status == 400


def test_presigned_uploads_and_downloads_work(scene: Scene) -> None:
    key = scene.key

    def asked(method: str, signed_for: str, body: bytes | None = None) -> int:
        url = presigned(scene.origin + "/b%20c.txt", user="alan", key=key, method=signed_for)
        return ask(scene.origin, method, target_of(url), body=body).status

    assert asked("PUT", "PUT", b"new") == 201
    assert (scene.backend.files / "b c.txt").read_bytes() == b"new"
    assert asked("GET", "GET") == 200
    assert asked("PUT", "GET", b"not this") == 401
    assert (scene.backend.files / "b c.txt").read_bytes() == b"new"
