import re

from ocgate.config.table import FILE_SUFFIX, TABLE, VARIABLES, YAML_PATHS

SECTIONS = {"commons", "proxy", "ocs", "ocgate"}


def test_every_default_can_be_written_and_read() -> None:
    for row in TABLE:
        kind = row.key.kind
        shown = row.key.shown_default
        if shown and not kind.secret:
            assert kind.parse(shown) == row.key.default, row.name


def test_every_row_can_be_set_by_a_variable_and_explains_itself() -> None:
    for row in TABLE:
        assert row.key.env, row.name
        assert row.key.doc.endswith("."), row.name
        assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+", name) for name in row.key.env), row.name


def test_names_are_unique_but_for_those_that_the_family_shares() -> None:
    assert len({row.name for row in TABLE}) == len(TABLE)
    names = [name for row in TABLE for name in row.key.env]
    shared = {name for name in names if names.count(name) > 1}
    assert all(re.match(r"(OC|OCIS)_CORS_ALLOW_", name) for name in shared), shared


def test_yaml_places_name_a_known_section() -> None:
    assert {path.partition(":")[0] for path in YAML_PATHS} == SECTIONS
    assert len(YAML_PATHS) == sum(len(row.key.yaml) for row in TABLE)


def test_only_secrets_have_file_variants() -> None:
    assert VARIABLES["PROXY_DEBUG_TOKEN" + FILE_SUFFIX].name == "debug.token"
    assert "PROXY_HTTP_ADDR" + FILE_SUFFIX not in VARIABLES
