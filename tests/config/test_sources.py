from collections.abc import Mapping

import pytest

from ocgate.config.keys import Row
from ocgate.config.sources import Found, Sources, read_file, unquoted
from ocgate.config.table import TABLE

ROWS = {row.name: row for row in TABLE}
ADDRESS = ROWS["door.address"]
TOKEN = ROWS["debug.token"]
LEVEL = ROWS["logs.level"]


def sources(
    environ: Mapping[str, str], files: Mapping[str, str] | None = None, **overrides: str
) -> Sources:
    made = Sources(environ, (files or {}).get, overrides)
    made.open_files("/etc/ocgate")
    return made


def found(row: Row, environ: Mapping[str, str], files: Mapping[str, str] | None = None) -> str:
    result = sources(environ, files).find(row)
    return f"{result.text} ({result.where})" if result else "-"


def test_of_several_variables_the_last_one_that_is_set_wins() -> None:
    assert found(LEVEL, {"OC_LOG_LEVEL": "info"}) == "info (OC_LOG_LEVEL)"
    both = {"PROXY_LOG_LEVEL": "debug", "OC_LOG_LEVEL": "info", "OCIS_LOG_LEVEL": "warn"}
    assert found(LEVEL, both) == "debug (PROXY_LOG_LEVEL)"
    assert found(LEVEL, {}) == "-"


def test_later_sources_win() -> None:
    files = {
        "/etc/ocgate/ocis.yaml": "proxy:\n  http:\n    addr: a:1\n",
        "/etc/ocgate/opencloud.yaml": "\nproxy:\n  http:\n    addr: b:2\n",
        "/etc/ocgate/proxy.yaml": "http:\n  addr: c:3\n",
    }
    assert found(ADDRESS, {"PROXY_HTTP_ADDR": "d:4"}, files) == "d:4 (PROXY_HTTP_ADDR)"
    assert found(ADDRESS, {}, files) == "c:3 (/etc/ocgate/proxy.yaml:2)"
    del files["/etc/ocgate/proxy.yaml"]
    assert found(ADDRESS, {}, files) == "b:2 (/etc/ocgate/opencloud.yaml:4)"
    given = Sources({"PROXY_HTTP_ADDR": "d:4"}, files.get, {"door.address": "e:5"})
    assert given.find(ADDRESS) == Found("e:5", "command line")


def test_a_shared_part_gives_way_to_the_part_of_the_service() -> None:
    files = {"/etc/ocgate/opencloud.yaml": "log:\n  level: info\n"}
    assert found(LEVEL, {}, files) == "info (/etc/ocgate/opencloud.yaml:2)"
    files["/etc/ocgate/proxy.yaml"] = "log:\n  level: debug\n"
    assert found(LEVEL, {}, files) == "debug (/etc/ocgate/proxy.yaml:2)"


def test_an_empty_variable_is_a_value_for_text_and_absent_for_the_rest() -> None:
    empty = sources({"PROXY_HTTP_ADDR": ""})
    assert empty.find(ADDRESS) is None
    assert [str(w) for w in empty.warnings] == ["PROXY_HTTP_ADDR: is empty and counts as not set"]
    assert found(ROWS["upstream.ca_cert"], {"PROXY_HTTPS_CACERT": ""}) == " (PROXY_HTTPS_CACERT)"
    assert found(LEVEL, {"OC_LOG_LEVEL": "info", "PROXY_LOG_LEVEL": ""}) == "info (OC_LOG_LEVEL)"


@pytest.mark.parametrize(
    ("text", "value"),
    [('"a b"', "a b"), ("'a'", "a"), ('"a', '"a'), ('"', '"'), ('""', ""), ('"a","b"', '"a","b"')],
)
def test_one_pair_of_quotes_is_removed(text: str, value: str) -> None:
    assert unquoted(text) == value


def test_a_secret_can_come_from_a_file_without_its_last_newline() -> None:
    files = {"/run/token": "swordfish\r\n"}
    environ = {"PROXY_DEBUG_TOKEN_FILE": "/run/token"}
    assert found(TOKEN, environ, files) == "swordfish (PROXY_DEBUG_TOKEN_FILE (/run/token))"
    assert found(TOKEN, {"PROXY_DEBUG_TOKEN": "x"}, files) == "x (PROXY_DEBUG_TOKEN)"
    assert found(TOKEN, {"PROXY_DEBUG_TOKEN": "", **environ}, files).startswith("swordfish")


@pytest.mark.parametrize(
    ("environ", "mistake"),
    [
        ({"PROXY_DEBUG_TOKEN_FILE": "/run/none"}, "there is no such file"),
        ({"PROXY_DEBUG_TOKEN_FILE": "/run/empty"}, "the file is empty"),
        (
            {"PROXY_DEBUG_TOKEN_FILE": "/run/token", "PROXY_DEBUG_TOKEN": "x"},
            "PROXY_DEBUG_TOKEN and PROXY_DEBUG_TOKEN_FILE are both set",
        ),
    ],
)
def test_a_secret_file_that_cannot_count_is_a_mistake(
    environ: dict[str, str], mistake: str
) -> None:
    made = sources(environ, {"/run/empty": "\n", "/run/token": "x"})
    made.find(TOKEN)
    assert mistake in str(made.mistakes[0])
    assert "swordfish" not in str(made.mistakes)


def test_strings_of_yaml_have_placeholders() -> None:
    files = {"/etc/ocgate/proxy.yaml": "http:\n  addr: '${HOST|127.0.0.1}:${PORT}'\n"}
    assert found(ADDRESS, {"PORT": "80"}, files) == "127.0.0.1:80 (/etc/ocgate/proxy.yaml:2)"
    missing = sources({}, files)
    missing.find(ADDRESS)
    assert str(missing.warnings[0]) == "/etc/ocgate/proxy.yaml:2: the variable PORT is not set"
    refused = sources({}, {"/etc/ocgate/proxy.yaml": "http:\n  addr: '${PORT|?say a port}'\n"})
    refused.find(ADDRESS)
    assert str(refused.mistakes[0]) == "/etc/ocgate/proxy.yaml:2: say a port"


def test_a_list_is_for_lists_only() -> None:
    text = "pre_signed_url:\n  allowed_http_methods: [GET, PUT]\nhttp:\n  addr: [a, b]\n"
    made = sources({}, {"/etc/ocgate/proxy.yaml": text})
    methods = made.find(ROWS["presigned.methods"])
    assert methods == Found(["GET", "PUT"], "/etc/ocgate/proxy.yaml:2")
    assert made.find(ADDRESS) is None
    assert str(made.mistakes[0]) == (
        "/etc/ocgate/proxy.yaml:4: one value (address) is expected here"
    )


def test_a_file_that_cannot_be_read_is_a_mistake() -> None:
    def read(path: str) -> str | None:
        if path.endswith("proxy.yaml"):
            raise PermissionError(13, "Permission denied")
        if path.endswith("ocs.yaml"):
            return b"\xff".decode()
        return "a: [\n" if path.endswith("ocgate.yaml") else None

    made = Sources({}, read)
    made.open_files("/c")
    assert [str(mistake).partition(": ")[::2] for mistake in made.mistakes][:2] == [
        ("/c/proxy.yaml", "cannot be read: Permission denied"),
        ("/c/ocs.yaml", "cannot be read: it is not UTF-8"),
    ]
    assert str(made.mistakes[2]).startswith("/c/ocgate.yaml:2: ")


def test_a_missing_file_is_none(tmp_path: "object") -> None:
    assert read_file(f"{tmp_path}/none.yaml") is None
    assert read_file(__file__)
