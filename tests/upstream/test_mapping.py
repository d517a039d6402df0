import pytest

from ocgate.core.errors import BadGateway, ConfigError
from ocgate.upstream.mapping import AddressMap
from ocgate.upstream.origin import Origin

ORIGIN = Origin.parse("http://backend:8081")
BELOW = Origin.parse("http://backend:8081/base")


def test_without_prefixes_paths_stay_the_same_object() -> None:
    path = b"/a%20b//c/."
    assert AddressMap(ORIGIN).to_backend(path) is path


@pytest.mark.parametrize(
    ("public", "backend"),
    [
        (b"/files", b"/base/dav"),
        (b"/files/", b"/base/dav/"),
        (b"/files/%2e/x", b"/base/dav/%2e/x"),
    ],
)
def test_paths_below_the_public_prefix_go_there_and_back(public: bytes, backend: bytes) -> None:
    address = AddressMap(BELOW, public=b"/files", backend=b"/dav")
    assert address.to_backend(public) == backend
    assert address.to_public(backend) == public


def test_only_whole_segments_are_a_prefix() -> None:
    address = AddressMap(BELOW, public=b"/files", backend=b"/dav")
    assert address.to_backend(b"/filesystem") == b"/base/filesystem"
    assert address.to_public(b"/base/davos") == b"/base/davos"


def test_a_path_is_never_empty() -> None:
    assert AddressMap(ORIGIN, public=b"/files").to_backend(b"/files") == b"/"
    assert AddressMap(ORIGIN, backend=b"/dav").to_public(b"/dav") == b"/"


def test_a_destination_names_the_backend_as_it_knows_itself() -> None:
    address = AddressMap(BELOW, public=b"/files", backend=b"/dav")
    assert address.destination(b"/files/a", b"q", b"gate") == b"http://gate/base/dav/a?q"
    with pytest.raises(BadGateway):
        address.destination(b"/filesystem", b"", b"gate")


@pytest.mark.parametrize(
    ("theirs", "public"),
    [
        (b"/base/dav/a?x=/base#/base", b"/files/a?x=/base#/base"),
        (b"http://backend:8081/base/dav/a", b"https://gate/files/a"),
        (b"HTTP://Backend:8081/base/dav", b"https://gate/files"),
        (b"http://gate/base/dav/a", b"https://gate/files/a"),
        (b"http://backend:8081/other", b"https://gate/other"),
        (b"http://backend:8082/base/dav/a", b"http://backend:8082/base/dav/a"),
        (b"https://elsewhere/base/dav", b"https://elsewhere/base/dav"),
        (b"//elsewhere/base/dav", b"//elsewhere/base/dav"),
        (b"relative", b"relative"),
        (b"", b""),
    ],
)
def test_locations_of_the_backend_become_public(theirs: bytes, public: bytes) -> None:
    address = AddressMap(BELOW, public=b"/files", backend=b"/dav")
    assert address.location(theirs, b"https://gate", b"gate") == public


@pytest.mark.parametrize("prefix", [b"files", b"/files/", b"/"])
def test_a_prefix_with_stray_slashes_is_refused(prefix: bytes) -> None:
    with pytest.raises(ConfigError):
        AddressMap(ORIGIN, public=prefix)
