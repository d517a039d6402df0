import pytest

from ocgate.core.errors import ConfigError
from ocgate.server.limits import Limits


def test_the_defaults_are_usable() -> None:
    assert Limits().tick <= 1


def test_deadlines_are_looked_at_often_enough_for_the_shortest() -> None:
    assert Limits(head_seconds=0.2).tick == pytest.approx(0.05)


@pytest.mark.parametrize("options", [{"head_seconds": 0}, {"connections_per_address": 0}])
def test_a_limit_that_is_not_positive_is_a_configuration_error(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        Limits(**options)
