from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocgate.config.csp_file import LoadedPolicy, Mode, expand, load_policy
from ocgate.core.csp import DEFAULT_POLICY
from ocgate.core.errors import ConfigError

ROOT = Path(__file__).parents[2]

POCKET_ID = """\
directives:
  child-src:
    - '''self'''
  connect-src:
    - '''self'''
    - 'blob:'
    - 'https://raw.githubusercontent.com/owncloud/awesome-ocis/'
    # In contrary to bash and docker the default is given after the | character
    - 'https://pocket-id.company.com/'
  default-src:
    - '''none'''
  font-src:
    - '''self'''
  frame-ancestors:
    - '''none'''
  frame-src:
    - '''self'''
    - 'blob:'
    - 'https://embed.diagrams.net/'
  img-src:
    - '''self'''
    - 'data:'
    - 'blob:'
    - 'https://raw.githubusercontent.com/owncloud/awesome-ocis/'
  manifest-src:
    - '''self'''
  media-src:
    - '''self'''
  object-src:
    - '''self'''
    - 'blob:'
  script-src:
    - '''self'''
    - '''unsafe-inline'''
  style-src:
    - '''self'''
    - '''unsafe-inline'''
"""

Write = Callable[..., Path]
Load = Callable[..., LoadedPolicy]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str | bytes, name: str = "csp.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.fixture
def load(write: Write) -> Load:
    def load(
        text: str | bytes, environ: Mapping[str, str] | None = None, mode: Mode = "replace"
    ) -> LoadedPolicy:
        return load_policy([write(text)], environ=environ or {}, mode=mode)

    return load


@pytest.fixture
def mistakes(load: Load) -> Callable[..., list[str]]:
    def mistakes(text: str | bytes, environ: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, environ)
        return str(caught.value).splitlines()

    return mistakes


def test_the_shipped_file_is_the_default_policy() -> None:
    shipped = load_policy([ROOT / "csp.yaml"], environ={})
    assert shipped == LoadedPolicy(DEFAULT_POLICY)
    assert load_policy(environ={}) == LoadedPolicy(DEFAULT_POLICY)


# --- the table of recorded cases; where the result differs, the gate's is the better one


def test_the_pocket_id_guide_s_file_is_used_verbatim(write: Write) -> None:
    loaded = load_policy([write(POCKET_ID)], environ={})
    assert loaded.policy.header == (
        "child-src 'self'; connect-src 'self' blob: "
        "https://raw.githubusercontent.com/owncloud/awesome-ocis/ "
        "https://pocket-id.company.com/; default-src 'none'; font-src 'self'; "
        "frame-ancestors 'none'; frame-src 'self' blob: https://embed.diagrams.net/; "
        "img-src 'self' data: blob: "
        "https://raw.githubusercontent.com/owncloud/awesome-ocis/; manifest-src 'self'; "
        "media-src 'self'; object-src 'self' blob:; script-src 'self' 'unsafe-inline'; "
        "style-src 'self' 'unsafe-inline'"
    )
    assert loaded.warnings == ()


def test_variables_as_recorded(load: Load) -> None:
    loaded = load(
        """\
directives:
  default-src:
    - 'https://${OCG_TEST_HOST|fallback.example}/'
    - 'https://${OCG_UNSET|dflt.example}/'
    - 'https://${OCG_UNSET2}/'
    - '${COMPANION_DOMAIN|companion.opencloud.test}'
    - '${OCG_MULTI|x}'
    - '$NOPE'
    - '${ HOME | spaced}'
    - 'x${EVIL|q}y'
""",
        {
            "OCG_TEST_HOST": "idp.example.org",
            "OCG_MULTI": "https://a.example https://b.example",
            "HOME": "home",
        },
    )
    assert loaded.policy.header == (
        "default-src https://idp.example.org/ https://dflt.example/ https:/// "
        "companion.opencloud.test https://a.example https://b.example $NOPE home xqy"
    )
    assert [w.partition("csp.yaml:")[2] for w in loaded.warnings] == [
        "5: default-src: OCG_UNSET2 is not set",
        "5: default-src: https:/// names no host and matches nothing: was a variable empty?",
        "8: default-src: $NOPE is not a source that browsers understand",
    ]


def test_a_blank_value_is_left_out_with_a_warning(load: Load) -> None:
    loaded = load("directives: {default-src: ['${NOPE}', x, '', ~, '${NOPE2|}']}")
    assert loaded.policy.header == "default-src x"
    assert [w.partition(": ")[2] for w in loaded.warnings] == [
        "default-src: NOPE is not set, the value is left out",
        "default-src: a blank value is left out",
        "default-src: a blank value is left out",
    ]


def test_a_directive_of_blank_values_allows_nothing(load: Load) -> None:
    loaded = load(
        "directives: {default-src: x, img-src: ['${NOPE}'], sandbox: '${NOPE}', "
        "report-uri: '${NOPE|}'}"
    )
    assert loaded.policy.header == "default-src x; img-src 'none'; sandbox"


def test_blank_values_leave_the_default_policy_as_it_is(load: Load) -> None:
    loaded = load("directives: {connect-src: ['${NOPE|}']}", mode="merge")
    assert loaded == LoadedPolicy(DEFAULT_POLICY, adds_to_default=True)


@pytest.mark.parametrize("value", ["a; script-src *", "a, b", "a\nX-Evil: 1", "a\tb", "ä", "\x7f"])
def test_a_variable_cannot_inject(
    load: Load, mistakes: Callable[..., list[str]], value: str
) -> None:
    text = "directives:\n  img-src:\n    - '${EVIL}'\n"
    [mistake] = mistakes(text, {"EVIL": value})
    assert "csp.yaml:3: img-src: '${EVIL}' contains " in mistake
    assert mistake.endswith("(through the variable EVIL)")
    assert value not in mistake
    assert load(text, {"EVIL": "a"}).policy.header == "img-src a"


@pytest.mark.parametrize(
    "value", ['"a; script-src *"', "'a, b'", '"a\\nX-Evil: 1"', '"a\\tb"', '"\\u00e4"', "'ü'"]
)
def test_the_file_itself_cannot_inject(mistakes: Callable[..., list[str]], value: str) -> None:
    [mistake] = mistakes(f"directives:\n  img-src:\n    - x\n    - {value}\n")
    assert "csp.yaml:4: img-src: " in mistake


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nope.yaml: No such file or directory"):
        load_policy([tmp_path / "nope.yaml"], environ={})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("directives:\n  a: [\n b", 3),
        ("directives: {img-src: x}\n---\nfoo: bar", 2),
        ("directives:\n\timg-src: x", 2),
        ("directives:\n  img-src: *nope", 2),
        ("directives:\n  img-src: '\x01'", 2),
        (b"directives:\n  img-src: \xff", 2),
    ],
)
def test_broken_yaml_is_refused_with_its_line(
    mistakes: Callable[..., list[str]], text: str | bytes, line: int
) -> None:
    [mistake] = mistakes(text)
    assert f"csp.yaml:{line}: " in mistake


@pytest.mark.parametrize(
    "text", ['a: "\\UFFFFFFFF"', "[" * 20_000, "%YAML 1." + "9" * 5_000 + "\n---\na: b"]
)
def test_yaml_that_breaks_parsers_is_refused(mistakes: Callable[..., list[str]], text: str) -> None:
    assert len(mistakes(text)) == 1


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "foo: bar", "directves: {}"])
def test_a_file_without_directives_is_refused(
    mistakes: Callable[..., list[str]], text: str
) -> None:
    assert "has no `directives:`" in mistakes(text)[-1]


@pytest.mark.parametrize("text", ["directives:", "directives: []", "directives: x", "- x", "x"])
def test_directives_that_are_no_mapping_are_refused(
    mistakes: Callable[..., list[str]], text: str
) -> None:
    assert "csp.yaml:1: expected `name: values` lines" in mistakes(text)[0]


def test_an_empty_mapping_of_directives_is_refused(mistakes: Callable[..., list[str]]) -> None:
    assert "csp.yaml:1: `directives:` is empty" in mistakes("directives: {}")[0]


def test_one_value_needs_no_list(load: Load) -> None:
    assert load("directives: {default-src: self}").policy.header == "default-src self"


@pytest.mark.parametrize("values", ["[]", "", "~"])
def test_a_directive_without_values_is_refused(
    load: Load, mistakes: Callable[..., list[str]], values: str
) -> None:
    [mistake] = mistakes(f"directives:\n  img-src: x\n  default-src: {values}\n")
    assert "csp.yaml:3: default-src: has no values" in mistake
    valueless = f"directives:\n  img-src: x\n  upgrade-insecure-requests: {values}\n"
    assert load(valueless).policy.header == "img-src x; upgrade-insecure-requests"


def test_names_are_written_in_lower_case(load: Load) -> None:
    loaded = load("directives: {Img-Src: x, foo-src: y}")
    assert loaded.policy.header == "foo-src y; img-src x"
    assert "'Img-Src' is sent as 'img-src'" in loaded.warnings[0]
    assert "foo-src: unknown directive" in loaded.warnings[1]


@pytest.mark.parametrize("value", ["5", "true", "1.5", "2026-11-21", "[x]", "{x: y}", "!!binary x"])
def test_what_is_not_text_is_refused(mistakes: Callable[..., list[str]], value: str) -> None:
    [mistake] = mistakes(f"directives:\n  img-src:\n    - {value}\n")
    assert "csp.yaml:3: img-src: " in mistake
    assert "is not text" in mistake


def test_a_quoted_number_is_text(load: Load) -> None:
    assert load("directives: {img-src: ['5', 'true']}").policy.header == "img-src 5 true"


@pytest.mark.parametrize("second", ["img-src", "IMG-SRC"])
def test_a_repeated_name_is_refused(mistakes: Callable[..., list[str]], second: str) -> None:
    [mistake] = mistakes(f"directives:\n  img-src: a\n  {second}: b\n")
    assert "csp.yaml:3: 'img-src' is already in line 2" in mistake


def test_repeated_directives_are_refused(mistakes: Callable[..., list[str]]) -> None:
    [mistake] = mistakes("directives: {img-src: a}\ndirectives: {img-src: b}\n")
    assert "csp.yaml:2: 'directives' is already in line 1" in mistake


@pytest.mark.parametrize("name", ["img src", "'img-src;'", "<<", "5", "[a]", "'ä'"])
def test_a_bad_name_is_refused(mistakes: Callable[..., list[str]], name: str) -> None:
    [mistake] = mistakes(f"directives:\n  ? {name}\n  : x\n")
    assert "csp.yaml:2: " in mistake


def test_unquoted_keywords_are_sent_with_a_warning(load: Load) -> None:
    loaded = load("directives: {default-src: ['self', '''self''']}")
    assert loaded.policy.header == "default-src self 'self'"
    assert "csp.yaml:1: default-src: self without quotes" in loaded.warnings[0]


# --- beyond the table


def test_a_required_variable(load: Load, mistakes: Callable[..., list[str]]) -> None:
    text = "directives:\n  default-src: '${IDP | ?set IDP to its host}'\n"
    [mistake] = mistakes(text)
    assert mistake.endswith("csp.yaml:2: default-src: set IDP to its host")
    assert load(text, {"IDP": "x"}).policy.header == "default-src x"


def test_the_shell_s_default_is_refused(mistakes: Callable[..., list[str]]) -> None:
    assert "`${VAR|x}`" in mistakes("directives: {img-src: '${NOPE:-x}'}")[0]


def test_all_mistakes_of_all_files_are_reported_at_once(write: Write, tmp_path: Path) -> None:
    first = write("directives:\n  img-src: []\n  img-src: 'a;b'\n  x y: z\n", "1.yaml")
    second = write("foo: bar\n", "2.yaml")
    with pytest.raises(ConfigError) as caught:
        load_policy([first, second, tmp_path / "3.yaml"], environ={})
    places = [
        line.removeprefix(f"{tmp_path}/").split(": ")[0] for line in str(caught.value).split("\n")
    ]
    assert places == ["1.yaml:3", "1.yaml:2", "1.yaml:3", "1.yaml:4", "2.yaml", "3.yaml"]


def test_a_key_that_means_nothing_is_named(load: Load) -> None:
    loaded = load("directives: {default-src: x}\ndirective: {}\nversion: 1\n")
    assert [w.partition("csp.yaml:")[2] for w in loaded.warnings] == [
        "2: 'directive' means nothing here; did you mean directives?",
        "3: 'version' means nothing here",
    ]


def test_a_byte_order_mark_and_anchors_are_no_obstacle(load: Load) -> None:
    text = "\ufeffdirectives:\n  default-src: &own ['''self''']\n  img-src: *own\n"
    assert load(text).policy.header == "default-src 'self'; img-src 'self'"


PART = "directives: {connect-src: ['''self''', 'https://files.example']}"
WHOLE = "directives: {default-src: '''self'''}"


def test_a_file_without_default_src_is_added_to_the_default_policy(write: Write) -> None:
    loaded = load_policy([write(PART)], environ={})
    assert loaded.adds_to_default
    assert loaded.policy.header == DEFAULT_POLICY.header.replace(
        "awesome/; default-src", "awesome/ https://files.example; default-src"
    )


def test_a_file_with_default_src_takes_the_place_of_the_default_policy(write: Write) -> None:
    loaded = load_policy([write(WHOLE)], environ={})
    assert not loaded.adds_to_default
    assert loaded.policy.header == "default-src 'self'"


def test_the_mode_decides_against_the_rule(write: Write) -> None:
    part, whole = write(PART, "part.yaml"), write(WHOLE, "whole.yaml")
    replaced = load_policy([part], environ={}, mode="replace")
    assert replaced.policy.header == "connect-src 'self' https://files.example"
    added = load_policy([whole], environ={}, mode="merge")
    assert added.policy.values("default-src") == ("'self'",)
    assert added.policy.values("font-src") == ("'self'",)
    with pytest.raises(ConfigError, match="auto, merge or replace"):
        load_policy(environ={}, mode="append")  # type: ignore[arg-type]


def test_several_files_are_merged_in_order(write: Write) -> None:
    files = [write(WHOLE, "a.yaml"), write(PART, "b.yaml")]
    files.append(write("directives: {connect-src: [x, https://files.example]}", "c.yaml"))
    assert load_policy(files, environ={}).policy.header == (
        "connect-src 'self' https://files.example x; default-src 'self'"
    )


def test_an_override_replaces_everything(write: Write) -> None:
    part = write(PART, "part.yaml")
    over = write("directives: {img-src: x}", "over.yaml")
    loaded = load_policy([part], environ={}, mode="merge", overrides=[over])
    assert loaded.policy.header == "img-src x"
    assert not loaded.adds_to_default


def test_the_issuer_is_added(write: Write) -> None:
    loaded = load_policy([write(WHOLE)], environ={}, issuer="https://idp.example/x")
    assert loaded.policy.header == (
        "connect-src 'self' https://idp.example; default-src 'self'; "
        "frame-src 'self' https://idp.example"
    )


def test_globs_stand_for_their_files_in_order(write: Write, tmp_path: Path) -> None:
    two, one = write(PART, "2.yaml"), write(PART, "1.yaml")
    assert expand([str(tmp_path / "*.yaml"), str(two)]) == [one, two, two]
    assert expand([str(tmp_path / "missing.yaml")]) == [tmp_path / "missing.yaml"]
    with pytest.raises(ConfigError, match="no file matches"):
        expand([str(tmp_path / "*.yml")])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=60)
    | st.text(max_size=60)
    | st.text(max_size=40).map("directives:\n  img-src:\n    - ".__add__)
    | st.text(alphabet="ab-: \n'\"[]{}&*!|>%#${};,", max_size=60).map("directives:\n ".__add__),
    st.text(max_size=10).filter(lambda text: "\0" not in text),
)
def test_any_file_is_read_or_refused(load: Load, text: str | bytes, value: str) -> None:
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogatepass")
    try:
        loaded = load(text, {"a": value, "b": value})
    except ConfigError as error:
        assert str(error)  # noqa: PT017 - a sentence is all that is asked for
        return
    assert loaded.policy.header.isprintable()
    assert "," not in loaded.policy.header
