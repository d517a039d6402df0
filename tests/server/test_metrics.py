import pytest
from prometheus_client.parser import text_string_to_metric_families

from ocgate.core.errors import ConfigError
from ocgate.server.metrics import Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_the_familys_metrics_are_there_from_the_start() -> None:
    found = samples(Metrics(version="1.2.3"))
    assert found["opencloud_proxy_requests_total", ("GET",)] == 0
    assert found["opencloud_proxy_errors_total", ("GET",)] == 0
    assert found["opencloud_proxy_duration_seconds_count", ("GET",)] == 0
    assert found["opencloud_proxy_build_info", ("1.2.3",)] == 1
    assert found["ocgate_http_requests_in_flight", ()] == 0
    assert not [name for name, _ in found if name.endswith("_created")]


def test_requests_are_counted_by_method_and_code() -> None:
    metrics = Metrics(version="1")
    for method, status, seconds in [
        ("GET", 200, 0.001),
        ("GET", 404, 0.005),
        ("GET", 502, 20.0),
        ("PROPFIND", 207, 0.2),
    ]:
        metrics.request_started()
        metrics.request_finished(method, status, seconds)
    metrics.request_started()
    found = samples(metrics)
    assert found["opencloud_proxy_requests_total", ("GET",)] == 3
    assert found["opencloud_proxy_requests_total", ("PROPFIND",)] == 1
    assert found["opencloud_proxy_errors_total", ("GET",)] == 1
    assert ("opencloud_proxy_errors_total", ("PROPFIND",)) not in found
    assert found["ocgate_http_requests_total", ("404", "GET")] == 1
    assert found["ocgate_http_requests_in_flight", ()] == 1
    buckets = {
        labels[0]: value
        for (name, labels), value in found.items()
        if name == "opencloud_proxy_duration_seconds_bucket" and labels[1] == "GET"
    }
    assert buckets["0.005"] == 2, "a bound belongs to its bucket"
    assert buckets["10.0"] == 2
    assert buckets["+Inf"] == 3
    assert found["opencloud_proxy_duration_seconds_sum", ("GET",)] == pytest.approx(20.006)


def test_unknown_methods_are_one_label() -> None:
    metrics = Metrics(version="1")
    for n in range(500):
        metrics.request_finished(f"EVIL{n}", 501, 0.1)
    found = samples(metrics)
    assert found["opencloud_proxy_requests_total", ("other",)] == 500
    assert len([name for name, _ in found if name == "ocgate_http_requests_total"]) == 1


def test_decisions_about_credentials_are_counted() -> None:
    metrics = Metrics(version="1")
    metrics.credential_judged("basic", "accepted", "")
    metrics.credential_judged("basic", "refused", "wrong_password")
    metrics.credential_judged("basic", "refused", "wrong_password")
    counted = {
        (sample.labels["scheme"], sample.labels["result"], sample.labels["reason"]): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
        if sample.name == "ocgate_auth_total"
    }
    assert counted == {("basic", "accepted", ""): 1, ("basic", "refused", "wrong_password"): 2}


@pytest.mark.parametrize("namespace", ["opencloud", "ocis", "ocgate"])
def test_the_family_may_have_another_name(namespace: str) -> None:
    metrics = Metrics(version="1", namespace=namespace)  # type: ignore[arg-type]
    assert (f"{namespace}_proxy_requests_total", ("GET",)) in samples(metrics)


def test_an_unknown_namespace_is_refused() -> None:
    with pytest.raises(ConfigError):
        Metrics(version="1", namespace="nextcloud")  # type: ignore[arg-type]
