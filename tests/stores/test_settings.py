from ocgate.stores.settings import StoreSettings


def test_passwords_are_not_shown() -> None:
    shown = repr(StoreSettings("redis", password="secret-1", registry_password="secret-2"))
    assert "secret" not in shown
    assert "kind='redis'" in shown
