import argparse
import sys
from pathlib import Path

import pytest

from ocgate.cli.store_service import add_to, run
from ocgate.core.errors import ConfigError
from tests.support.stores import store_service


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_to(parser.add_subparsers())
    return parser.parse_args(["store-service", *arguments])


def test_it_listens_where_the_family_does_unless_told() -> None:
    found = parsed("--path", "store.db")
    assert found.run is run
    assert (found.path, found.address) == (Path("store.db"), "127.0.0.1:9460")
    assert (found.registry, found.service_name, found.advertise) == ([], [], "")
    assert parsed("--path", "p", "--registry", "a:1", "--registry", "b:2").registry == [
        "a:1",
        "b:2",
    ]


def test_the_file_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed()
    assert "--path" in capsys.readouterr().err


def test_it_says_where_it_listens_and_ends_at_sigterm(tmp_path: Path) -> None:
    with store_service(tmp_path) as service:
        assert service.printed() == f"ocgate store-service listens on {service.address}\n"
        assert service.stop() == 0
        assert service.printed().count("\n") == 1


def test_without_grpc_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.startswith("ocgate.server.store_service")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(ConfigError, match=r"pip install ocgate\[store-service\]"):
        run(parsed("--path", "store.db"))
