from datetime import timedelta

from ocgate.config.settings_door import Debug, Door, Limits, Logs, Paths, Runtime


def test_the_door_is_where_the_familys_is_but_without_tls() -> None:
    assert str(Door().address) == "0.0.0.0:9200"
    assert not Door().tls
    assert Door().public_url == ""


def test_nobody_is_believed_by_default() -> None:
    assert Door().trusted_proxies == ()
    assert not Door().allow_encoded_slash


def test_health_and_metrics_are_local() -> None:
    assert str(Debug().address) == "127.0.0.1:9205"
    assert not Debug().token


def test_a_client_is_bounded() -> None:
    limits = Limits()
    assert (limits.target, limits.header_bytes, limits.headers) == (8192, 65536, 100)
    assert limits.header_timeout == timedelta(seconds=10)


def test_the_rest_is_as_documented() -> None:
    assert Logs().level == "error"
    assert Runtime().grace == timedelta(seconds=10)
    assert Paths() == Paths(data="", config="")
