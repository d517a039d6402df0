"""docs/configuration.md, and the listing of `ocgate config show`, made from the table."""

from collections.abc import Iterator
from inspect import getdoc

from ocgate.config.keys import Row
from ocgate.config.load import Loaded
from ocgate.config.settings import Settings
from ocgate.config.table import TABLE

_HEAD = """\
<!-- Made by `ocgate config docs` from src/ocgate/config; a test compares the two. -->
# Configuration

ocgate reads the environment variables and YAML files of oCIS and OpenCloud, and some of its own.
An existing env file can be used as it is: what ocgate has no use for is ignored, and
`ocgate config check` lists it.

- `ocgate config show` prints every value with where it came from; secrets are masked.
- `ocgate config check` prints all mistakes at once with their variable or their file and line,
  and exits with 1 if there are any. Warnings leave the exit code 0.

## Where a value comes from

Later ones win: the default; `ocis.yaml` and `opencloud.yaml` in the folder of OC_CONFIG_DIR;
`proxy.yaml`, `ocs.yaml` and `ocgate.yaml` there; the environment; the command line.

A place such as `proxy: http.addr` is `http.addr` in `proxy.yaml`, or `proxy.http.addr` in
`opencloud.yaml` or `ocis.yaml`; `commons:` is the top level of those two. Every string in YAML
may have placeholders: `${VAR}`, `${VAR|default}`, `${VAR|?message}`.

Where a setting has several variables, the last one that is set wins. Every `OC_…` name is read
in the spelling `OCIS_…` too; `OC_…` wins. A secret can come from the file that `<name>_FILE`
names, without its last newline; setting both is a mistake.

## How values are written

| type | form |
|---|---|
| bool | `true`, `false`, `1`, `0`, `t`, `f`, and these in capitals |
| integer | `10`, `0x1f`, `0b11`, `0o17`, `017`, `1_000` |
| duration | numbers with units: `300ms`, `90s`, `1h30m`; units `ns us ms s m h`, always required |
| list | separated by commas; in YAML also a list |
| address | `host:port`, `:port`, `[v6]:port`, `unix:/path` |

One pair of quotes around a variable's value is removed. An empty variable empties a text, a
path, a list or a secret; for every other type it counts as not set, with a warning. Unlike in
the family, a value that cannot be read is a mistake: nothing starts with a default that nobody
chose. Unknown names in YAML, and unknown variables that begin like the family's, are warnings
that name the nearest one.

## Routes

`policies`, `additional_policies` and `policy_selector` of `proxy.yaml` are read as in the
family. Beyond its keys, a route may say `websocket: true`, and `backend` may be a list of
addresses. A route to a service that ocgate does not run needs a `backend`; without one its
requests are answered with 503. An unprotected route opens whole segments only: `/data` does not
open `/database`.
"""


def page() -> str:
    """Return docs/configuration.md."""
    return "\n".join([_HEAD, *_sections()]) + "\n"


def shown_values(loaded: Loaded) -> list[tuple[str, str, str]]:
    """Return name, value and origin of every setting, as text; secrets are masked."""
    return [
        (row.name, row.key.kind.show(value_of(loaded.settings, row)), loaded.origins[row.name])
        for row in TABLE
    ]


def value_of(settings: Settings, row: Row) -> object:
    """Return the value of a row."""
    value: object = getattr(getattr(settings, row.section), row.field)
    return value


def _sections() -> Iterator[str]:
    section = ""
    for row in TABLE:
        if row.section != section:
            section = row.section
            declared: object = getattr(Settings(), section)
            about = getdoc(declared) or ""
            yield f"## {section}\n\n{about}\n"
        yield _entry(row)


def _entry(row: Row) -> str:
    key = row.key
    names = [name for name in key.env if not name.startswith("OCIS_CACHE")]
    names = [n for n in names if not (n.startswith("OCIS_") and "OC_" + n[5:] in names)]
    lines = [f"### {row.name}", "", key.doc, "", f"- type: {key.kind.name}"]
    if key.shown_default:
        lines.append(f"- default: `{key.shown_default}`")
    if names:
        suffix = ", or a file: `…_FILE`" if key.kind.secret else ""
        lines.append("- variables: " + ", ".join(f"`{name}`" for name in names) + suffix)
    if key.yaml:
        places = (path.replace(":", ": ", 1) for path in key.yaml)
        lines.append("- YAML: " + ", ".join(f"`{place}`" for place in places))
    return "\n".join([*lines, ""])
