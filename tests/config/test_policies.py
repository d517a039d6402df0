import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.config.policies import Policies
from ocgate.config.settings_backend import Upstream
from ocgate.config.sources import Sources
from ocgate.core.routing import Route

BACKEND = "http://127.0.0.1:8081"
BOTH = frozenset(("proxy", "ocs"))


def read(
    text: str, *backend: str, services: frozenset[str] = BOTH
) -> tuple[tuple[Route, ...], list[str], list[str]]:
    sources = Sources({"PORT": "8081"}, {"/c/proxy.yaml": text}.get)
    sources.open_files("/c")
    assert sources.mistakes == []
    routes = Policies(sources, Upstream(backend=backend), services).routes()
    return routes, list(map(str, sources.mistakes)), list(map(str, sources.warnings))


def test_one_backend_is_short_for_one_route() -> None:
    root = Route("/", backend=(BACKEND,))
    assert read("", BACKEND) == ((root,), [], [])
    assert read("") == ((), [], [])


def test_additional_policies_come_before_the_root() -> None:
    text = """
additional_policies:
- name: default
  routes:
  - endpoint: /wopi/
    backend: http://127.0.0.1:${PORT}
    unprotected: true
    websocket: true
"""
    wopi = Route("/wopi/", backend=(BACKEND,), unprotected=True, websocket=True)
    assert read(text, "unix:/run/dav.sock") == (
        (wopi, Route("/", backend=("unix:/run/dav.sock",))),
        [],
        [],
    )


def test_policies_are_read_with_all_their_keys() -> None:
    text = """
policies:
- name: other
  routes: []
- name: mine
  routes:
  - type: regex
    method: report
    endpoint: (/remote.php)?/(web)?dav
    backend: [http://a, "http://b,http://c"]
    apache_vhost: true
    remote_user_header: X-User
    additional_headers: {X-A: b}
    skip_x_access_token: true
  - endpoint: /ocs/
    service: com.owncloud.web.ocs
policy_selector:
  static: {policy: mine}
  claims: null
"""
    routes, mistakes, warnings = read(text)
    assert (mistakes, warnings) == ([], [])
    assert routes == (
        Route(
            "(/remote.php)?/(web)?dav",
            "regex",
            "REPORT",
            backend=("http://a", "http://b", "http://c"),
            backend_host=True,
            remote_user_header="X-User",
            additional_headers=(("X-A", "b"),),
            skip_x_access_token=True,
        ),
        Route("/ocs/", service="ocs"),
    )


FAMILY = """
policies:
- name: default
  routes:
  - endpoint: /
    service: eu.opencloud.web.web
    unprotected: true
  - endpoint: /graph/
    service: eu.opencloud.web.graph
  - endpoint: /graph/v1.0/invitations
    service: eu.opencloud.web.graph
  - type: regex
    endpoint: /ocs/v[12].php/cloud/user/signing-key
    service: eu.opencloud.web.ocs
"""


def test_a_familys_file_loads_and_other_services_are_warned_about_once() -> None:
    routes, mistakes, warnings = read(FAMILY, BACKEND)
    assert mistakes == []
    assert [route.service for route in routes] == [
        "eu.opencloud.web.web",
        "eu.opencloud.web.graph",
        "eu.opencloud.web.graph",
        "ocs",
    ]
    assert all(route.backend == () for route in routes)
    tail = "is no service of ocgate; without a `backend` it answers 503"
    assert warnings == [
        "OCGATE_UPSTREAM: has no effect, as proxy.yaml has a route for `/`",
        f"/c/proxy.yaml:5: eu.opencloud.web.web {tail}",
        f"/c/proxy.yaml:8: eu.opencloud.web.graph {tail}",
    ]


def test_a_service_that_this_process_does_not_run_is_another_one() -> None:
    routes, _, warnings = read(FAMILY, services=frozenset(("proxy",)))
    assert routes[-1].service == "eu.opencloud.web.ocs"
    assert len(warnings) == 3


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("policies: x", "/c/proxy.yaml:1: a list is expected here"),
        ("policies: [x]", "/c/proxy.yaml:1: `name: value` lines are expected here"),
        ("policies:\n- routes: []", "/c/proxy.yaml:2: a policy needs a name"),
        ("policies:\n- name: a\n- name: a", "/c/proxy.yaml:3: there already is a policy 'a'"),
        ("policies:\n- name: [a]", "/c/proxy.yaml:2: one value is expected here"),
    ],
)
def test_a_policy_that_cannot_be_read_is_a_mistake(text: str, mistake: str) -> None:
    assert read(text)[1][0] == mistake


@pytest.mark.parametrize(
    ("route", "mistake"),
    [
        ("backend: http://a", "a route needs an endpoint"),
        ("endpoint: /a", "a route needs a backend or a service"),
        ("endpoint: /a, backend: a", "'a' is not a URL such as https://cloud.example.com"),
        ("endpoint: /a/../b, backend: http://a", "endpoint '/a/../b': the path has a '..' segment"),
        ("endpoint: '(', type: regex, backend: http://a", "'(' is not a regular expression here"),
        ("endpoint: /, type: glob, backend: http://a", "'glob' is none of: query, regex, prefix"),
        ("endpoint: /, unprotected: yes, backend: http://a", "'yes' is neither true nor false"),
        ("endpoint: /, additional_headers: {a b: c}, backend: http://a", "'a b' is not a name"),
    ],
)
def test_a_route_that_cannot_be_used_is_a_mistake_with_its_line(route: str, mistake: str) -> None:
    text = f"policies:\n- name: default\n  routes:\n  - {{{route}}}\n"
    _, mistakes, _ = read(text)
    assert len(mistakes) == 1
    assert mistakes[0].startswith(f"/c/proxy.yaml:4: {mistake}")


def test_a_misspelt_key_of_a_route_is_warned_about() -> None:
    text = "additional_policies:\n- name: default\n  routes:\n"
    text += "  - {endpoint: /a, backend: http://a, unprotectd: true}\n"
    _, mistakes, warnings = read(text, BACKEND)
    assert mistakes == []
    assert warnings == [
        "/c/proxy.yaml:4: 'unprotectd' means nothing here; did you mean unprotected?"
    ]


def test_a_policy_is_selected_or_it_is_a_mistake() -> None:
    two = "policies:\n- {name: a, routes: []}\n- {name: b, routes: []}\n"
    assert read(two)[1] == [
        "proxy.yaml: there are 2 policies; policy_selector.static names the one"
    ]
    chosen = two + "policy_selector: {static: {policy: c}}\n"
    assert read(chosen)[1] == ["/c/proxy.yaml:4: there is no policy 'c'; there are a, b"]
    claims = two + "policy_selector: {claims: {default_policy: a}}\n"
    assert "the claims selector is not built" in read(claims)[1][0]
    one = "policies:\n- {name: a, routes: []}\npolicy_selector: {claims: {default_policy: a}}\n"
    assert read(one)[1] == []


scalars = st.sampled_from(["/", "x", "http://a", "true", "regex", "''", "null", "[1]", "{a: b}"])
routes = st.dictionaries(
    st.sampled_from(["type", "endpoint", "backend", "service", "unprotected", "method"]), scalars
)


@given(st.lists(routes, max_size=3))
def test_any_routes_are_read_or_refused(entries: list[dict[str, str]]) -> None:
    flow = ", ".join(
        "{" + ", ".join(f"{key}: {value}" for key, value in entry.items()) + "}"
        for entry in entries
    )
    found, mistakes, _ = read(f"policies: [{{name: default, routes: [{flow}]}}]")
    assert mistakes or len(found) == len(entries)
