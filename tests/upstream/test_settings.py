import pytest

from ocgate.core.errors import ConfigError
from ocgate.upstream.settings import Limits, Timeouts


def test_the_defaults_are_the_documented_ones() -> None:
    assert (Timeouts().connect, Timeouts().first_byte, Timeouts().idle) == (5, 60, 60)
    assert Limits().connections == 512


@pytest.mark.parametrize("name", ["connect", "first_byte", "idle", "keep_alive", "slot"])
def test_a_time_out_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Timeouts(**{name: 0})


def test_a_backend_without_connections_is_refused() -> None:
    with pytest.raises(ConfigError):
        Limits(connections=0)
    with pytest.raises(ConfigError):
        Limits(idle_connections=-1)
