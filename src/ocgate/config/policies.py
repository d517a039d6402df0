"""`policies`, `additional_policies` and `policy_selector` of proxy.yaml as a list of routes.

A family's proxy.yaml loads unchanged. Of its policies one is used: the one that
`policy_selector.static` names, otherwise `default`, otherwise the only one. A route to a
service that ocgate runs is answered by ocgate; signing keys can be fetched whatever the routes
say. ocgate asks no service registry for backends, so a route to any other service that names no
`backend` is kept without one: its requests find the route's protection and then 503. Sending
them to OCGATE_UPSTREAM instead would open that backend where the family's list has `/`
unprotected for its static pages.

Beyond the family's keys a route may have `websocket: true`, and a list as `backend`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeVar

from ocgate.config.kinds import parse_bool, parse_method, parse_text, parse_token
from ocgate.config.mistakes import Remark
from ocgate.config.network_kinds import BACKENDS
from ocgate.config.services import short_name
from ocgate.config.settings_backend import Upstream
from ocgate.config.sources import Sources
from ocgate.config.yaml_nodes import Node
from ocgate.core.errors import ConfigError
from ocgate.core.routing import ROUTE_TYPES, Route, RouteType, matcher_of

T = TypeVar("T")

DEFAULT_POLICY = "default"

_ROUTE_KEYS = (
    "type",
    "method",
    "endpoint",
    "backend",
    "service",
    "apache_vhost",
    "unprotected",
    "websocket",
    "remote_user_header",
    "additional_headers",
    "skip_x_access_token",
)


@dataclass(slots=True)
class Policies:
    """Reads the routes of one process; mistakes and warnings go to `sources`."""

    sources: Sources
    upstream: Upstream
    services: frozenset[str]
    elsewhere: dict[str, str] = field(default_factory=dict[str, str])
    """Services that ocgate is not, with the place that first routes to them."""

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of the policy in use."""
        policies = self._named("proxy:policies") or {DEFAULT_POLICY: []}
        for name, routes in self._named("proxy:additional_policies").items():
            policies.setdefault(name, []).extend(routes)
        routes = self._selected(policies)
        if not any(_is_root(route) for route in routes) and self.upstream.backend:
            routes.append(self._root())
        elif self.upstream.backend:
            self._warn("OCGATE_UPSTREAM", "has no effect, as proxy.yaml has a route for `/`")
        for name, place in self.elsewhere.items():
            self._warn(place, f"{name} is no service of ocgate; without a `backend` it answers 503")
        return tuple(routes)

    def _root(self) -> Route:
        return Route(
            "/",
            backend=self.upstream.backend,
            websocket=self.upstream.websocket,
            backend_host=self.upstream.backend_host,
        )

    def _selected(self, policies: dict[str, list[Route]]) -> list[Route]:
        for kind in ("claims", "regex"):
            node = self.sources.node(f"proxy:policy_selector.{kind}")
            if node is not None and len(policies) > 1:
                text = (
                    f"the {kind} selector is not built; name one policy in policy_selector.static"
                )
                self._refuse(node, text)
        node = self.sources.node("proxy:policy_selector.static.policy")
        name = self._one(node, parse_text, "") if node else ""
        if not name:
            name = DEFAULT_POLICY if DEFAULT_POLICY in policies else next(iter(policies))
            if name != DEFAULT_POLICY and len(policies) > 1:
                text = f"there are {len(policies)} policies; policy_selector.static names the one"
                self.sources.mistakes.append(Remark("proxy.yaml", text))
        if node and name not in policies:
            self._refuse(node, f"there is no policy {name!r}; there are {', '.join(policies)}")
        return policies.get(name, [])

    def _named(self, path: str) -> dict[str, list[Route]]:
        node = self.sources.node(path)
        policies: dict[str, list[Route]] = {}
        for policy in self._items(node):
            entries = self._entries(policy, ("name", "routes"))
            name = self._one(entries.get("name"), parse_text, "")
            if not name:
                self._refuse(policy, "a policy needs a name")
            if name in policies:
                self._refuse(policy, f"there already is a policy {name!r}")
            routes = [self._route(item) for item in self._items(entries.get("routes"))]
            policies[name] = [route for route in routes if route is not None]
        return policies

    def _route(self, node: Node) -> Route | None:
        before = len(self.sources.mistakes)
        entries = self._entries(node, _ROUTE_KEYS)
        prefix: RouteType = "prefix"
        if "endpoint" not in entries:
            self._refuse(node, "a route needs an endpoint")
        service = self._one(entries.get("service"), parse_text, "")
        backend = self._backend(entries.get("backend"))
        if not service and not backend and len(self.sources.mistakes) == before:
            self._refuse(node, "a route needs a backend or a service")
        if short_name(service) in self.services - {"proxy"}:
            service, backend = short_name(service), ()
        elif service and not backend:
            self.elsewhere.setdefault(service, node.place)
        route = Route(
            self._one(entries.get("endpoint"), parse_text, ""),
            self._one(entries.get("type"), _route_type, prefix),
            self._one(entries.get("method"), parse_method, ""),
            backend=backend,
            service="" if backend else service,
            unprotected=self._one(entries.get("unprotected"), parse_bool, default=False),
            websocket=self._one(entries.get("websocket"), parse_bool, default=False),
            backend_host=self._one(entries.get("apache_vhost"), parse_bool, default=False),
            remote_user_header=self._one(entries.get("remote_user_header"), parse_token, ""),
            additional_headers=self._headers(entries.get("additional_headers")),
            skip_x_access_token=self._one(
                entries.get("skip_x_access_token"), parse_bool, default=False
            ),
        )
        if len(self.sources.mistakes) > before:
            return None
        try:
            matcher_of(route)
        except ConfigError as error:
            self._refuse(entries["endpoint"], str(error))
            return None
        return route

    def _backend(self, node: Node | None) -> tuple[str, ...]:
        nothing: tuple[str, ...] = ()
        if node is None or node.items is None:
            return self._one(node, BACKENDS.parse, nothing)
        lists = [self._one(item, BACKENDS.parse, nothing) for item in node.items]
        return tuple(address for addresses in lists for address in addresses)

    def _headers(self, node: Node | None) -> tuple[tuple[str, str], ...]:
        headers: list[tuple[str, str]] = []
        for name, value in self._entries(node).items() if node else ():
            try:
                headers.append((parse_token(name), self._one(value, parse_text, "")))
            except ValueError as error:
                self._refuse(value, str(error))
        return tuple(headers)

    def _one(self, node: Node | None, parse: Callable[[str], T], default: T) -> T:
        """Read one value; an absent or empty one is the default."""
        if node is None or node.is_null:
            return default
        if node.text is None:
            self._refuse(node, "one value is expected here")
            return default
        text = self.sources.filled(node)
        try:
            return parse(text) if text else default
        except ValueError as error:
            self._refuse(node, str(error))
            return default

    def _items(self, node: Node | None) -> tuple[Node, ...]:
        if node is None or node.is_null:
            return ()
        if node.items is None:
            self._refuse(node, "a list is expected here")
            return ()
        return node.items

    def _entries(self, node: Node | None, known: Iterable[str] = ()) -> dict[str, Node]:
        if node is None or node.is_null:
            return {}
        if node.entries is None:
            self._refuse(node, "`name: value` lines are expected here")
            return {}
        names = list(known)
        for name, value in node.entries.items():
            if names and name not in names:
                near = get_close_matches(name, names, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                self._warn(value.place, f"{name!r} means nothing here{hint}")
        return {name: value for name, value in node.entries.items() if not value.is_null}

    def _refuse(self, node: Node, text: str) -> None:
        self.sources.mistakes.append(Remark(node.place, text))

    def _warn(self, place: str, text: str) -> None:
        self.sources.warnings.append(Remark(place, text))


def _route_type(text: str) -> RouteType:
    for known in ROUTE_TYPES:
        if text == known:
            return known
    raise ValueError(f"{text!r} is none of: {', '.join(ROUTE_TYPES)}")


def _is_root(route: Route) -> bool:
    return route.endpoint == "/" and route.type == "prefix" and not route.method
