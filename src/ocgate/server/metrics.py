"""What is counted, in Prometheus' form: the family's four metrics and our own.

Labels have few values by construction: unknown methods count as `other`, nothing is counted
by path, user or client. Counting is a few additions without a lock, so it belongs to the
event loop's thread; sums are made when somebody asks for the page.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

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
# Prometheus' default buckets, which the family uses, in seconds.
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(slots=True)
class _Tally:
    """Requests with one method and status; `buckets` counts each request once."""

    count: int = 0
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS) + 1))


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
        self._tallies: dict[tuple[str, int], _Tally] = {}
        self._judged: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self._in_flight = 0
        self.registry.register(_Requests(self, f"{namespace}_proxy", version))

    def request_started(self) -> None:
        """Count one more request in flight."""
        self._in_flight += 1

    def request_finished(self, method: str, status: int, seconds: float, /) -> None:
        """Count one less in flight, and how it ended."""
        self._in_flight -= 1
        tally = self._tallies.get((method, status))
        if tally is None:
            known = method if method in _METHODS else _OTHER
            tally = self._tallies.setdefault((known, status), _Tally())
        tally.count += 1
        tally.seconds += seconds
        tally.buckets[bisect_left(_BOUNDS, seconds)] += 1

    def credential_judged(self, scheme: str, result: str, reason: str, /) -> None:
        """Count an authenticator's decision (`accepted`, `refused`) and the reason code."""
        self._judged[scheme, result, reason] += 1

    def render(self) -> bytes:
        """Return the page for Prometheus."""
        return generate_latest(self.registry)

    def tallies(self) -> list[tuple[str, int, _Tally]]:
        """Return what was counted, by method and status."""
        return [(method, status, tally) for (method, status), tally in self._tallies.items()]

    def judged(self) -> list[tuple[tuple[str, str, str], int]]:
        """Return the decisions about credentials, by scheme, result and reason."""
        return list(self._judged.items())

    @property
    def in_flight(self) -> int:
        """How many requests have begun and not ended."""
        return self._in_flight


class _Requests(Collector):
    """Makes the metrics of the page out of the tallies."""

    def __init__(self, metrics: Metrics, family: str, version: str) -> None:
        self._metrics = metrics
        self._family = family
        self._version = version

    def collect(self) -> Iterator[Metric]:
        yield from self._of_the_family()
        requests = CounterMetricFamily(
            "ocgate_http_requests", "Requests.", labels=["method", "code"]
        )
        for method, status, tally in self._metrics.tallies():
            requests.add_metric([method, str(status)], tally.count)
        yield requests
        in_flight = "ocgate_http_requests_in_flight"
        yield GaugeMetricFamily(in_flight, "Requests in flight.", value=self._metrics.in_flight)
        judged = CounterMetricFamily(
            "ocgate_auth", "Credentials judged.", labels=["scheme", "result", "reason"]
        )
        for labels, count in self._metrics.judged():
            judged.add_metric(labels, count)
        yield judged

    def _of_the_family(self) -> Iterator[Metric]:
        # GET is there from the start, as in the family.
        by_method: dict[str, _Tally] = {"GET": _Tally()}
        errors: dict[str, int] = {"GET": 0}
        for method, status, tally in self._metrics.tallies():
            total = by_method.setdefault(method, _Tally())
            total.count += tally.count
            total.seconds += tally.seconds
            total.buckets = [a + b for a, b in zip(total.buckets, tally.buckets, strict=True)]
            if status >= _SERVER_ERROR:
                errors[method] = errors.get(method, 0) + tally.count
        labels = ["method"]
        requests = CounterMetricFamily(f"{self._family}_requests", "Requests.", labels=labels)
        failed = CounterMetricFamily(f"{self._family}_errors", "5xx answers.", labels=labels)
        duration = HistogramMetricFamily(
            f"{self._family}_duration_seconds", "Time to answer.", labels=labels
        )
        bounds = [*map(str, _BOUNDS), "+Inf"]
        for method, total in by_method.items():
            requests.add_metric([method], total.count)
            buckets = list(zip(bounds, accumulate(total.buckets), strict=True))
            duration.add_metric([method], buckets, total.seconds)
        for method, count in errors.items():
            failed.add_metric([method], count)
        yield requests
        yield failed
        yield duration
        build = GaugeMetricFamily(
            f"{self._family}_build_info", "Which version runs.", labels=["version"]
        )
        build.add_metric([self._version], 1)
        yield build
