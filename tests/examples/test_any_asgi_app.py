from collections.abc import Generator

import pytest

from tests.examples.running import example
from tests.support.asking import ask
from tests.support.presign import target_of

ALAN = ("alan", "demo")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    folder = tmp_path_factory.mktemp("example")
    env = {"KEYS_FILE": str(folder / "keys.sqlite")}
    with example("any_asgi_app", env=env, folder=folder) as origin:
        yield origin


def test_a_password_opens_the_report(origin: str) -> None:
    assert ask(origin, "GET", "/report", auth=ALAN).body == b"alan, by basic\n"
    refused = ask(origin, "GET", "/report", auth=("alan", "wrong"))
    assert refused.status == 401
    assert refused.header("WWW-Authenticate") == 'Basic realm="reports", charset="UTF-8"'


def test_a_link_opens_the_report_and_nothing_else(origin: str) -> None:
    link = ask(origin, "GET", "/link", auth=ALAN).body.decode().strip()
    assert link.startswith(origin + "/report?")
    assert ask(origin, "GET", target_of(link)).body == b"alan, by presigned_url\n"
    elsewhere = target_of(link).replace("/report?", "/link?")
    assert ask(origin, "GET", elsewhere).status == 401
