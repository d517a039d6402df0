"""What a browser would understand otherwise than the author of a policy meant it.

Nothing here keeps a policy from being sent: the findings are warnings for the operator.

Sources: CSP Level 3 §2.3 (source lists), §6 (directives) and §6.7.2 (matching); Trusted Types.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from ocgate.core.csp import NONCE, NONE, REPORTING, VALUELESS, Policy

FETCH = frozenset(
    {
        "child-src", "connect-src", "default-src", "fenced-frame-src", "font-src", "frame-src",
        "img-src", "manifest-src", "media-src", "object-src", "script-src", "script-src-attr",
        "script-src-elem", "style-src", "style-src-attr", "style-src-elem", "worker-src",
    }
)  # fmt: skip
"""Directives that say where something may be loaded from."""

SOURCE_LISTS = FETCH | {"base-uri", "form-action", "frame-ancestors"}
KNOWN = SOURCE_LISTS | REPORTING | VALUELESS | {"require-trusted-types-for"}
GONE = frozenset(
    {"navigate-to", "plugin-types", "prefetch-src", "referrer", "reflected-xss", "require-sri-for"}
)
"""Directives that no browser looks at any more."""

KEYWORDS = frozenset(
    {
        "none", "self", "unsafe-inline", "unsafe-eval", "unsafe-hashes", "wasm-unsafe-eval",
        "strict-dynamic", "report-sample", "inline-speculation-rules", "trusted-types-eval",
    }
)  # fmt: skip
"""Words that stand in single quotes."""

SANDBOX = frozenset(
    {
        "allow-downloads", "allow-forms", "allow-modals", "allow-orientation-lock",
        "allow-pointer-lock", "allow-popups", "allow-popups-to-escape-sandbox",
        "allow-presentation", "allow-same-origin", "allow-scripts",
        "allow-storage-access-by-user-activation", "allow-top-navigation",
        "allow-top-navigation-by-user-activation", "allow-top-navigation-to-custom-protocols",
    }
)  # fmt: skip

_SCHEMES = frozenset({"blob", "data", "filesystem", "http", "https", "mediastream", "ws", "wss"})
_INGREDIENT = re.compile(r"nonce-[A-Za-z0-9+/_=-]+|sha(?:256|384|512)-[A-Za-z0-9+/_=-]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_NO_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[/:].*)?")
_HOST = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]*://)?"
    r"(?:\*|(?:\*\.)?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.?)"
    r"(?::(?:[0-9]+|\*))?"
    r"(?:/[A-Za-z0-9._~!$&'()*+=:@%/-]*)?"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One warning. `directive` and `value` say where; they are empty for the whole policy."""

    directive: str
    value: str
    text: str

    def __str__(self) -> str:
        """Return the warning as one line."""
        return f"{self.directive}: {self.text}" if self.directive else self.text


def lint(policy: Policy, *, report_only: bool = False) -> list[Finding]:
    """Return what deserves a second look, directive by directive, then the policy as a whole."""
    findings = list[Finding]()
    for name, values in policy.directives:
        findings += _name(name)
        findings += _combination(name, values)
        for value in values:
            findings += (Finding(name, value, text) for text in _value(name, value))
    findings += _scripts(policy)
    findings += (Finding("", "", text) for text in _whole(policy, report_only))
    return findings


def _name(name: str) -> Iterator[Finding]:
    if name in GONE:
        yield Finding(name, "", "no browser looks at this directive any more")
    elif name not in KNOWN:
        yield Finding(name, "", "unknown directive, browsers ignore it" + _nearest(name, KNOWN))


def _value(name: str, value: str) -> Iterator[str]:
    if name == "sandbox" and value not in SANDBOX:
        yield f"{value} is no permission of a sandbox" + _nearest(value, SANDBOX)
    if name not in SOURCE_LISTS or value == NONCE:
        return
    bare = value.strip("'").lower()
    is_quoted = len(value) > 1 and value.startswith("'") and value.endswith("'")
    if bare in KEYWORDS or _INGREDIENT.fullmatch(value.strip("'")):
        if not is_quoted:
            yield f"{value} without quotes is a host name; in YAML the keyword is '''{bare}'''"
    elif "'" in value and (is_quoted or not _HOST.fullmatch(value)):
        yield f"{value} is not a keyword" + _nearest(bare, KEYWORDS, quote="'")
    elif value.lower() in _SCHEMES:
        yield f"{value} is a host name here; the scheme is written {value}:"
    elif _NO_HOST.fullmatch(value):
        yield f"{value} names no host and matches nothing: was a variable empty?"
    elif not _SCHEME.fullmatch(value) and not _HOST.fullmatch(value):
        yield f"{value} is not a source that browsers understand"


def _combination(name: str, values: tuple[str, ...]) -> Iterator[Finding]:
    if name not in SOURCE_LISTS or len(values) < 2:  # noqa: PLR2004 - one value combines with none
        return
    if NONE in values:
        yield Finding(name, NONE, "'none' next to other values is ignored")
    if "'unsafe-inline'" in values and any(map(_admits_by_name, values)):
        text = "'unsafe-inline' is ignored next to a nonce or a hash"
        yield Finding(name, "'unsafe-inline'", text)


def _admits_by_name(value: str) -> bool:
    return value in (NONCE, "'strict-dynamic'") or bool(_INGREDIENT.fullmatch(value.strip("'")))


def _scripts(policy: Policy) -> Iterator[Finding]:
    names = {
        next((n for n in (*chain, "default-src") if policy.values(n) is not None), "")
        for chain in (("script-src",), ("script-src-elem", "script-src"))
    }
    for name in sorted(names - {""}):
        for value in policy.values(name) or ():
            if value in ("*", "http:", "https:", "data:"):
                yield Finding(name, value, f"{value} lets scripts come from anybody")
    if "*" in (policy.values("object-src") or ()):
        yield Finding("object-src", "*", "* lets embedded objects come from anybody")


def _whole(policy: Policy, report_only: bool) -> Iterator[str]:
    present = {name for name, _ in policy.directives}
    if not present & {"default-src", "script-src"}:
        yield "neither default-src nor script-src: scripts may come from anywhere"
    elif not present & {"default-src", "object-src"}:
        yield "neither default-src nor object-src: embedded objects may come from anywhere"
    scripts = policy.values("script-src") or policy.values("default-src") or ()
    if "base-uri" not in present and any(map(_admits_by_name, scripts)):
        yield "no base-uri: an injected <base> moves the scripts that a nonce or hash lets in"
    if report_only and not present & REPORTING:
        yield "report-only without report-to or report-uri: only the browser's console hears of it"


def _nearest(word: str, known: frozenset[str], *, quote: str = "") -> str:
    close = get_close_matches(word.lower(), sorted(known), n=1)
    return f"; did you mean {quote}{close[0]}{quote}?" if close else ""
