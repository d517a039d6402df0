import pytest

from ocgate.core import errors


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.BadRequest, 400),
        (errors.Forbidden, 403),
        (errors.NotFound, 404),
        (errors.BadGateway, 502),
        (errors.StoreError, 503),
        (errors.Overloaded, 503),
        (errors.GatewayTimeout, 504),
    ],
)
def test_each_error_knows_its_status(kind: type[errors.OcgateError], status: int) -> None:
    error = kind("what a client may read", detail="what the log may hold")
    assert error.status == status
    assert str(error) == "what a client may read"
    assert error.detail not in str(error)


def test_asking_again_is_suggested_only_where_it_may_help() -> None:
    assert errors.StoreError("down").retry_after == 1
    assert errors.BadRequest("wrong").retry_after is None


def test_the_docstring_names_the_whole_tree() -> None:
    kinds = [name for name, value in vars(errors).items() if isinstance(value, type)]
    assert [name for name in kinds if name not in (errors.__doc__ or "")] == []
