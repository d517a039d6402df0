import pytest

from ocgate.core.identity import PRINCIPAL, Account, Principal, principal_of

ALAN = Principal(Account("4c510ada", "alan"), "basic")


def test_a_route_learns_who_is_asking() -> None:
    assert principal_of({PRINCIPAL: ALAN}) is ALAN


@pytest.mark.parametrize("scope", [{}, {PRINCIPAL: None}, {PRINCIPAL: "alan"}])
def test_a_route_without_a_principal_is_an_error_and_not_an_open_door(
    scope: dict[str, object],
) -> None:
    with pytest.raises(LookupError, match="require_principal"):
        principal_of(scope)
