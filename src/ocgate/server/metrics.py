"""What is counted, in Prometheus' form: the family's four metrics and our own.

Labels have few values by construction: unknown methods count as `other`, nothing is counted
by path, user or client.
"""

from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from ocgate.core.errors import ConfigError

Namespace = Literal["opencloud", "ocis", "ocgate"]

_SERVER_ERROR = 500
_OTHER = "other"
# RFC 9110, RFC 5789, RFC 4918 and its extensions: what file servers are really asked for.
_FILE_METHODS = """
    GET HEAD POST PUT DELETE OPTIONS PATCH PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK
    REPORT SEARCH ACL MKCALENDAR
"""
_METHODS = frozenset(_FILE_METHODS.split())


class Metrics:
    """The counters of one process, in a registry of their own.

    `namespace` is the first part of the family's names: `opencloud_proxy_requests_total`.
    Others may add their collectors to `registry`. Raises `ConfigError` for an unknown
    namespace.
    """

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, *, version: str, namespace: Namespace = "opencloud") -> None:
        if namespace not in get_args(Namespace):
            raise ConfigError(f"metrics namespace {namespace!r}: opencloud, ocis or ocgate")
        self.registry = CollectorRegistry()
        family = f"{namespace}_proxy"
        by_method = ["method"]
        self._family_requests = Counter(
            f"{family}_requests", "Requests.", by_method, registry=self.registry
        )
        self._family_errors = Counter(
            f"{family}_errors", "Requests answered with a 5xx.", by_method, registry=self.registry
        )
        self._family_duration = Histogram(
            f"{family}_duration_seconds", "Time to answer.", by_method, registry=self.registry
        )
        Gauge(
            f"{family}_build_info", "Which version runs.", ["version"], registry=self.registry
        ).labels(version).set(1)
        self._requests = Counter(
            "ocgate_http_requests", "Requests.", ["method", "code"], registry=self.registry
        )
        self._in_flight = Gauge(
            "ocgate_http_requests_in_flight", "Requests not answered.", registry=self.registry
        )
        self._auth = Counter(
            "ocgate_auth",
            "Credentials judged.",
            ["scheme", "result", "reason"],
            registry=self.registry,
        )
        # `labels` takes longer than counting does, so its results are kept.
        self._counting: dict[tuple[str, int], tuple[Counter, Counter, Histogram]] = {}
        self._family_errors.labels("GET")
        self._of("GET", 200)

    def request_started(self) -> None:
        """Count one more request in flight."""
        self._in_flight.inc()

    def request_finished(self, method: str, status: int, seconds: float, /) -> None:
        """Count one less in flight, and how it ended."""
        self._in_flight.dec()
        if method not in _METHODS:
            method = _OTHER
        requests, family_requests, duration = self._of(method, status)
        requests.inc()
        family_requests.inc()
        duration.observe(seconds)
        if status >= _SERVER_ERROR:
            self._family_errors.labels(method).inc()

    def credential_judged(self, scheme: str, result: str, reason: str, /) -> None:
        """Count an authenticator's decision (`accepted`, `refused`) and the reason code."""
        self._auth.labels(scheme, result, reason).inc()

    def render(self) -> bytes:
        """Return the page for Prometheus."""
        return generate_latest(self.registry)

    def _of(self, method: str, status: int) -> tuple[Counter, Counter, Histogram]:
        found = self._counting.get((method, status))
        if found is None:
            found = (
                self._requests.labels(method, str(status)),
                self._family_requests.labels(method),
                self._family_duration.labels(method),
            )
            self._counting[method, status] = found
        return found
