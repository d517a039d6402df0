import dataclasses

import pytest

from ocgate.config.settings import Settings, Store


def test_settings_without_any_source_are_the_defaults() -> None:
    settings = Settings()
    assert settings.services == {"proxy", "ocs"}
    assert settings.routes == ()
    assert settings.store == settings.key_store == Store()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().door.tls = True  # type: ignore[misc]
