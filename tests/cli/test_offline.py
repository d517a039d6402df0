import pytest

from ocgate.app.state import State
from ocgate.cli.offline import account_named, presigned_rules, with_state
from ocgate.config.settings import Settings
from ocgate.core.errors import ConfigError


@pytest.mark.usefixtures("environ")
def test_the_work_gets_settings_and_stores_and_gives_the_exit_code() -> None:
    async def work(settings: Settings, state: State) -> int:
        rules = presigned_rules(settings)
        assert rules.allowed_methods == {"GET", "HEAD", "PUT"}
        assert (rules.max_expires, rules.leeway) == (604800, 60)
        assert (await account_named(state, "alan")).name == "alan"
        with pytest.raises(ConfigError, match="no user"):
            await account_named(state, "nobody")
        return 7

    assert with_state(work) == 7


def test_without_a_users_file_that_is_what_is_said(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OCGATE_USERS_FILE")

    async def work(settings: Settings, state: State) -> int:
        await account_named(state, "alan")
        return 0

    with pytest.raises(ConfigError, match="OCGATE_USERS_FILE"):
        with_state(work)
