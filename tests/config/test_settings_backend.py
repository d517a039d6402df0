from datetime import timedelta

from ocgate.config.settings_backend import Identity, Upstream


def test_a_backend_is_checked_and_has_time_outs() -> None:
    upstream = Upstream()
    assert upstream.backend == ()
    assert not upstream.insecure
    assert not upstream.websocket
    assert upstream.connect_timeout == timedelta(seconds=5)
    assert upstream.first_byte_timeout == timedelta(seconds=60)
    assert upstream.queue_timeout == timedelta(seconds=1)


def test_the_user_is_named_to_backends() -> None:
    assert (Identity().user, Identity().user_id) == ("X-Remote-User", "X-Remote-User-Id")
    assert Identity().groups == ""
