import pytest

from ocgate.config.mistakes import Remark
from ocgate.config.services import chosen, short_name
from ocgate.config.settings_door import Runtime


def choose(runtime: Runtime) -> tuple[frozenset[str], list[Remark], list[Remark]]:
    mistakes: list[Remark] = []
    warnings: list[Remark] = []
    return chosen(runtime, mistakes, warnings), mistakes, warnings


@pytest.mark.parametrize(
    ("runtime", "services"),
    [
        (Runtime(), {"proxy", "ocs"}),
        (Runtime(exclude=("ocs", "idp")), {"proxy"}),
        (Runtime(run=("ocs",)), {"ocs"}),
        (Runtime(run=("ocs",), add=("proxy",)), {"ocs"}),
        (Runtime(run=("ocs",), exclude=("ocs",)), {"ocs"}),
    ],
)
def test_services_are_chosen_as_in_the_family(runtime: Runtime, services: set[str]) -> None:
    chosen_ones, mistakes, warnings = choose(runtime)
    assert (set(chosen_ones), mistakes, warnings) == (services, [], [])


def test_services_that_are_not_there_are_said() -> None:
    services, mistakes, warnings = choose(Runtime(add=("auth-app", "antivirus")))
    assert services == {"proxy", "ocs"}
    assert mistakes == []
    assert [str(warning) for warning in warnings] == [
        "auth-app: this version of ocgate does not have this service",
        "antivirus: not a service of ocgate; it is not started here",
    ]


def test_nothing_to_run_is_a_mistake() -> None:
    _, mistakes, _ = choose(Runtime(exclude=("proxy", "ocs")))
    assert [remark.where for remark in mistakes] == ["OC_RUN_SERVICES"]


def test_a_service_has_the_same_short_name_in_both_spellings() -> None:
    assert short_name("eu.opencloud.web.ocs") == short_name("com.owncloud.web.ocs") == "ocs"
    assert short_name("eu.opencloud.sse.sse") == "eu.opencloud.sse.sse"
