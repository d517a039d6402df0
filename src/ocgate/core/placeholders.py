"""`${VAR|default}` in the text of configuration files, as the ownCloud family writes it.

- `${VAR}`: the variable's value, or nothing when it is not set;
- `${VAR|default}`: the default when it is not set; `${VAR|}` says that nothing is intended;
- `${VAR|?message}`: the configuration is refused with that message when it is not set.

An empty variable counts as one that is not set. Blanks around name and default are ignored,
several placeholders may stand in one text, and what was put in is not looked at again. `$VAR`
and an unclosed `${` stay as they are. Source: gookit/goutil `varexpr`, and recorded.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ocgate.core.errors import ConfigError

_PLACEHOLDER = re.compile(r"\$\{(.+?)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Substituted:
    """A text with its placeholders filled in.

    `variables` are the names whose value is in the text; `missing` those that were not set and
    have no default, so that nothing stands in their place.
    """

    text: str
    variables: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def substitute(text: str, environ: Mapping[str, str]) -> Substituted:
    """Fill in the placeholders of `text`.

    Raises `ConfigError` for `${VAR|?message}` without a value, and for a name that no variable
    can have (`${VAR:-x}` is the shell's form, which the family takes for a blank).
    """
    variables: list[str] = []
    missing: list[str] = []

    def filled(expression: str) -> str:
        before, bar, after = expression.partition("|")
        name, default = before.strip(), after.strip()
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"`${{{expression}}}` does not name a variable; a default is written `${{VAR|x}}`"
            )
        value = environ.get(name, "")
        if value:
            variables.append(name)
            return value
        if default.startswith("?"):
            raise ConfigError(default[1:].strip() or f"the variable {name} must be set")
        if not bar:
            missing.append(name)
        return default

    if text.count("${") == 1 and text.startswith("${") and text.endswith("}"):
        # One placeholder that is the whole text: its default may contain a `}`.
        replaced = filled(text[2:-1])
    else:
        replaced = _PLACEHOLDER.sub(lambda match: filled(match[1]), text)
    return Substituted(replaced, tuple(variables), tuple(missing))
