"""The services of the family: which ones ocgate is, and which of them a process runs."""

from typing import Final

from ocgate.config.mistakes import Remark
from ocgate.config.settings_door import Runtime

BUILT: Final = ("proxy", "ocs")
"""Services that this version of ocgate can run; it runs them all unless told otherwise."""

PLANNED: Final = ("auth-app", "ocm")
"""Services that ocgate is meant to be and that this version has not."""

_NAMESPACES = ("eu.opencloud.web.", "com.owncloud.web.")


def short_name(service: str) -> str:
    """Return the name of a service without its namespace: `ocs` for `eu.opencloud.web.ocs`."""
    for namespace in _NAMESPACES:
        service = service.removeprefix(namespace)
    return service


def chosen(runtime: Runtime, mistakes: list[Remark], warnings: list[Remark]) -> frozenset[str]:
    """Return the services to run, with the family's rules: `run`, else default + add - exclude."""
    if runtime.run:
        wanted = dict.fromkeys(runtime.run)
    else:
        wanted = dict.fromkeys((*BUILT, *runtime.add))
        for name in runtime.exclude:
            wanted.pop(name, None)
    for name in wanted:
        if name in PLANNED:
            warnings.append(Remark(name, "this version of ocgate does not have this service"))
        elif name not in BUILT:
            warnings.append(Remark(name, "not a service of ocgate; it is not started here"))
    services = frozenset(wanted) & frozenset(BUILT)
    if not services:
        mistakes.append(
            Remark("OC_RUN_SERVICES", f"no service is left to run; there are {', '.join(BUILT)}")
        )
    return services
