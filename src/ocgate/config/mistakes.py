"""What is wrong with a configuration, all of it at once."""

from collections.abc import Iterable
from dataclasses import dataclass

from ocgate.core.errors import ConfigError


@dataclass(frozen=True, slots=True, order=True)
class Remark:
    """One sentence about one place: a variable, or a file with its line."""

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}" if self.where else self.text


class Misconfigured(ConfigError):
    """The configuration cannot be used; `mistakes` are all the reasons."""

    def __init__(self, mistakes: Iterable[Remark], warnings: Iterable[Remark] = ()) -> None:
        self.mistakes = tuple(mistakes)
        self.warnings = tuple(warnings)
        super().__init__("\n".join(map(str, self.mistakes)))
