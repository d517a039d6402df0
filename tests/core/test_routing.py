import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.errors import BadRequest, ConfigError
from ocgate.core.routing import Route, Router, RouteType
from ocgate.core.targets import Target, parse_target


def target(text: str) -> Target:
    path, _, query = text.partition("?")
    return parse_target(path.encode(), query.encode())


def service(routes: list[Route], text: str, method: str = "GET") -> str:
    """Return the service of the matching route, marked with ! where it is unprotected."""
    found = Router(routes).match(method, target(text))
    return "-" if found is None else found.service + ("!" if found.unprotected else "")


FAMILY = [
    Route("/", service="web", unprotected=True),
    Route("/archiver", service="frontend"),
    Route("/ocs/v[12].php/cloud/user/signing-key", "regex", service="ocs"),
    Route("/ocs/v[12].php/config", "regex", service="frontend", unprotected=True),
    Route("/ocs/", service="frontend"),
    Route("/remote.php/?preview=1", "query", service="webdav"),
    Route("(/remote.php)?/(web)?dav", "regex", "REPORT", service="search"),
    Route("/remote.php/", service="ocdav"),
    Route("/status", service="ocdav", unprotected=True),
    Route("/data", service="data", unprotected=True),
    Route("/dav/", service="ocdav"),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/", "web!"),
        ("/index.html", "web!"),
        ("/archiver", "frontend"),
        ("/archiver?id=1", "frontend"),
        ("/ocs/v1.php/cloud/user/signing-key?format=json", "ocs"),
        ("/ocs/v2.php/config", "frontend!"),
        ("/ocs/v1.php/cloud/user", "frontend"),
        ("/remote.php/dav/files/a.jpg?preview=1&x=2", "webdav"),
        ("/remote.php/dav/files/a.jpg?preview=2", "ocdav"),
        ("/remote.php/dav/files/a.jpg?preview=2&preview=1", "ocdav"),
        ("/status", "ocdav!"),
        ("/status/x", "ocdav!"),
        ("/data/abc", "data!"),
    ],
)
def test_routes_are_found_as_in_the_family(text: str, expected: str) -> None:
    assert service(FAMILY, text) == expected


def test_a_route_for_one_method_goes_before_those_for_any() -> None:
    assert service(FAMILY, "/remote.php/dav/x", "REPORT") == "search"
    assert service(FAMILY, "/remote.php/dav/x", "PROPFIND") == "ocdav"
    assert service(FAMILY, "/archiver", "REPORT") == "frontend"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/database", "web!"),
        ("/statusfoo", "web!"),
        ("/ocs/v2.php/configX", "frontend"),
        ("/ocs/v2.php/config/x", "frontend!"),
        ("/ocs/v1.php/cloud?x=/ocs/v2.php/config", "frontend"),
        ("/ocs/x/ocs/v2.php/config", "frontend"),
        ("/archiverX", "frontend"),
    ],
)
def test_only_whole_segments_open_an_unprotected_route(text: str, expected: str) -> None:
    assert service(FAMILY, text) == expected


@pytest.mark.parametrize(
    "text",
    ["/%64av/x", "//dav/x", "/./dav/x", "/dav//x", "/dav/./x"],
)
def test_another_spelling_of_a_protected_path_is_protected(text: str) -> None:
    assert service(FAMILY, text) == "ocdav"


def test_where_two_readings_differ_in_protection_the_protected_one_holds() -> None:
    routes = [
        Route("/public/", service="open", unprotected=True),
        Route("/public;x/", service="closed"),
        Route("/", service="closed"),
    ]
    assert service(routes, "/public/a") == "open!"
    assert service(routes, "/public;x/a") == "closed"
    nested = [
        Route("/", service="open", unprotected=True),
        Route("/private", service="closed"),
    ]
    assert service(nested, "/private;v=1/a") == "closed"
    assert service(nested, "/;v/private/a") == "closed"
    assert service(nested, "/other;v=1/a") == "open!"


def test_a_repeated_parameter_does_not_open_an_unprotected_route() -> None:
    routes = [
        Route("/x/?public=1", "query", service="open", unprotected=True),
        Route("/", service="closed"),
    ]
    assert service(routes, "/x/?public=1") == "open!"
    assert service(routes, "/x/?public=1&public=0") == "closed"
    assert service(routes, "/x?public=1") == "closed"
    assert service(routes, "/x/") == "closed"


def test_one_route_for_everything_matches_everything() -> None:
    everything = [Route("/", service="all")]
    assert service(everything, "/a?b", "PROPFIND") == "all"
    assert service([Route("/", method="GET", service="all")], "/a", "PUT") == "-"
    assert service([], "/a") == "-"


def test_the_slash_route_comes_last_wherever_it_stands() -> None:
    routes = [Route("/", service="all"), Route("/a/", service="a")]
    assert service(routes, "/a/b") == "a"
    assert service(list(reversed(routes)), "/b") == "all"


def test_an_endpoint_may_have_blanks_and_umlauts() -> None:
    routes = [Route("/Öffentlich und mehr/", service="a"), Route("/", service="b")]
    assert service(routes, "/%C3%96ffentlich%20und%20mehr/x") == "a"
    assert service(routes, "/Offentlich") == "b"


@pytest.mark.parametrize(
    ("endpoint", "type_"),
    [
        ("relative", "prefix"),
        ("/a/../b", "prefix"),
        ("/a", "query"),
        ("/?a=1", "query"),
        ("(", "regex"),
        ("[[:alpha:]]", "regex"),
        ("\udc80", "prefix"),
    ],
)
def test_an_endpoint_that_cannot_be_used_is_a_configuration_error(
    endpoint: str, type_: RouteType
) -> None:
    with pytest.raises(ConfigError):
        Router([Route(endpoint, type_, service="x")])


def test_flags_of_an_expression_hold_for_unprotected_routes_too() -> None:
    routes = [Route("(?i)/open", "regex", service="open", unprotected=True)]
    assert service(routes, "/OPEN/x") == "open!"
    assert service(routes, "/OPENED") == "-"


types = st.sampled_from(["prefix", "regex", "query"])
endpoints = st.one_of(
    st.text(alphabet="/ab.?=1;%()[*+", max_size=12), st.sampled_from(["/", "/a", "/a/?b=1"])
)
routes_ = st.builds(
    Route, endpoints, types, st.sampled_from(["", "GET"]), unprotected=st.booleans()
)


@given(st.lists(routes_, max_size=4), st.text(alphabet="/ab.;%2Fe?=1&", max_size=12))
def test_any_routes_and_target_give_a_route_or_a_declared_error(
    routes: list[Route], text: str
) -> None:
    try:
        router = Router(routes)
        asked = target("/" + text)
    except (ConfigError, BadRequest):
        return
    found = router.match("GET", asked)
    assert found is None or found in routes


@given(st.text(alphabet="/ab.;%2Fe", max_size=14))
def test_no_spelling_opens_what_its_folded_form_protects(text: str) -> None:
    routes = [
        Route("/", service="open", unprotected=True),
        Route("/a", service="closed"),
    ]
    try:
        asked = target("/" + text)
    except BadRequest:
        return
    found = Router(routes).match("GET", asked)
    assert found is not None
    if asked.folded.startswith(b"/a"):
        assert not found.unprotected
