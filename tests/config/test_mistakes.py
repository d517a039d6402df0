import pytest

from ocgate.config.mistakes import Misconfigured, Remark
from ocgate.core.errors import ConfigError


def test_a_remark_says_where() -> None:
    assert str(Remark("PROXY_TLS", "is odd")) == "PROXY_TLS: is odd"
    assert str(Remark("", "is odd")) == "is odd"


def test_all_mistakes_are_one_configuration_error() -> None:
    remarks = [Remark("A", "one"), Remark("B", "two")]
    with pytest.raises(ConfigError) as raised:
        raise Misconfigured(remarks, [Remark("C", "three")])
    assert str(raised.value) == "A: one\nB: two"
    assert isinstance(raised.value, Misconfigured)
    assert raised.value.mistakes == tuple(remarks)
    assert raised.value.warnings == (Remark("C", "three"),)
