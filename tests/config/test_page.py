from pathlib import Path

from ocgate.config.load import load
from ocgate.config.page import page, shown_values
from ocgate.config.table import TABLE

DOCS = Path(__file__).parent.parent.parent / "docs" / "configuration.md"


def test_the_page_about_configuration_is_the_one_that_the_table_gives() -> None:
    assert DOCS.read_text() == page(), "run: .venv/bin/ocgate config docs > docs/configuration.md"


def test_every_setting_is_on_the_page() -> None:
    text = page()
    assert all(f"### {row.name}\n" in text for row in TABLE)
    assert "- variables: `OC_URL`\n" in text


def test_every_value_is_shown_with_its_origin_and_secrets_are_masked() -> None:
    environ = {"OCGATE_STORE_AUTH_PASSWORD": "swordfish", "PROXY_TLS": "false"}
    shown = {
        name: (value, where)
        for name, value, where in shown_values(load(environ, read=lambda _: None))
    }
    assert shown["state.password"] == ("***", "OCGATE_STORE_AUTH_PASSWORD")
    assert shown["door.tls"] == ("false", "PROXY_TLS")
    assert shown["runtime.grace"] == ("10s", "default")
    assert "swordfish" not in str(shown)
