import pytest

from ocgate.core.csp import DEFAULT_POLICY, Policy
from ocgate.core.csp_lint import lint


def warnings(directive: str, *values: str) -> list[str]:
    """Lint one directive over a policy that has nothing to complain about."""
    base = {"default-src": ["'none'"], "base-uri": ["'none'"]}
    policy = Policy.of(base | {directive: values})
    return [finding.text for finding in lint(policy)]


def test_the_default_policy_has_nothing_to_complain_about() -> None:
    assert lint(DEFAULT_POLICY) == []


@pytest.mark.parametrize("word", ["self", "none", "unsafe-inline", "Unsafe-Eval", "nonce-abc"])
def test_a_keyword_without_quotes(word: str) -> None:
    [text] = warnings("img-src", word)
    assert f"'''{word.lower()}'''" in text
    assert warnings("img-src", f"'{word}'") == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("https:///", "no host"),
        ("https://", "no host"),
        ("wss://:443", "no host"),
        ("data", "written data:"),
        ("'selff'", "did you mean 'self'?"),
        ("'https://a.example'", "not a keyword"),
        ("https://a.*.example", "not a source"),
        ("https://a.example?x", "not a source"),
        ("http://[::1]", "not a source"),
        ("${X", "not a source"),
        ("a..b", "not a source"),
    ],
)
def test_a_value_that_browsers_do_not_understand(value: str, said: str) -> None:
    [text] = warnings("connect-src", value)
    assert said in text


@pytest.mark.parametrize(
    "value",
    ["https://a.example", "*.a.example:*", "a.example/x/", "wss:", "blob:", "$NONCE", "localhost",
     "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='", "companion.opencloud.test", "*"],
)  # fmt: skip
def test_a_value_that_browsers_understand(value: str) -> None:
    assert warnings("connect-src", value) == []


def test_names_that_browsers_ignore() -> None:
    assert warnings("img-scr", "x") == [
        "unknown directive, browsers ignore it; did you mean img-src?"
    ]
    assert warnings("frobnicate", "x") == ["unknown directive, browsers ignore it"]
    assert "no browser" in warnings("prefetch-src", "x")[0]
    assert warnings("worker-src", "x") == []


def test_values_that_cancel_each_other() -> None:
    assert "ignored" in warnings("img-src", "'none'", "x")[0]
    assert "ignored" in warnings("script-src", "'unsafe-inline'", "$NONCE")[0]
    assert warnings("script-src", "'unsafe-inline'", "'self'") == []


@pytest.mark.parametrize("directive", ["script-src", "script-src-elem", "object-src"])
def test_a_star_where_code_comes_from(directive: str) -> None:
    assert "anybody" in warnings(directive, "*")[0]
    assert warnings(directive, "'self'") == []


def test_a_star_in_default_src_counts_where_scripts_fall_back_to_it() -> None:
    assert "anybody" in str(lint(Policy.of({"default-src": "*"}))[0])
    assert lint(Policy.of({"default-src": "*", "script-src": "'self'"})) == []


def test_permissions_of_a_sandbox() -> None:
    assert "did you mean allow-scripts?" in warnings("sandbox", "allow-script")[0]
    assert warnings("sandbox", "allow-scripts", "allow-forms") == []


def test_what_a_policy_leaves_open() -> None:
    def said(**directives: str) -> str:
        policy = Policy.of({name.replace("_", "-"): text for name, text in directives.items()})
        return "\n".join(map(str, lint(policy)))

    assert "scripts may come from anywhere" in said(img_src="'self'")
    assert "objects may come from anywhere" in said(script_src="'self'")
    assert "base-uri" in said(default_src="'none'", script_src="$NONCE")
    assert said(default_src="'none'", script_src="$NONCE", base_uri="'none'") == ""


def test_a_report_only_policy_reports_to_somebody() -> None:
    assert "console" in str(lint(DEFAULT_POLICY, report_only=True)[0])
    reporting = Policy.of({**dict(DEFAULT_POLICY.directives), "report-uri": "/csp"})
    assert lint(reporting, report_only=True) == []
