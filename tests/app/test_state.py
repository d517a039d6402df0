from datetime import timedelta
from pathlib import Path

import pytest

from ocgate.app.state import NoAccounts, open_state, store_settings
from ocgate.config.kinds import Secret
from ocgate.config.load import load
from ocgate.config.settings import Store
from ocgate.core.errors import ConfigError


def test_a_choice_becomes_the_settings_of_a_store() -> None:
    choice = Store(
        kind="redis-sentinel",
        nodes=("127.0.0.1:26379/mymaster",),
        username="ocgate",
        password=Secret("hidden"),
        timeout=timedelta(milliseconds=1500),
    )
    made = store_settings(choice)
    assert (made.kind, made.nodes, made.username) == (choice.kind, choice.nodes, "ocgate")
    assert (made.password, made.timeout) == ("hidden", 1.5)


async def test_two_processes_with_one_data_folder_share_their_keys(tmp_path: Path) -> None:
    settings = load({"OC_BASE_DATA_PATH": str(tmp_path)}).settings
    one, other = open_state(settings), open_state(settings)
    key = await one.keys.find_or_create("4c510ada")
    assert await other.keys.find("4c510ada") == (key,)
    await one.aclose()
    await other.aclose()


async def test_without_a_users_file_nobody_exists(tmp_path: Path) -> None:
    state = open_state(load({"OC_BASE_DATA_PATH": str(tmp_path)}).settings)
    assert state.users is None
    assert await NoAccounts().find_by_name("alan") is None
    assert await NoAccounts().find_by_id("4c510ada") is None
    await state.aclose()


def test_a_users_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    missing = tmp_path / "users.htpasswd"
    environ = {"OC_BASE_DATA_PATH": str(tmp_path), "OCGATE_USERS_FILE": str(missing)}
    with pytest.raises(ConfigError, match=r"users\.htpasswd"):
        open_state(load(environ).settings)
    missing.write_text("")
    assert open_state(load(environ).settings).users is not None
