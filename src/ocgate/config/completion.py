"""What follows from several settings together: complete paths, stores, and contradictions."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ocgate.config.mistakes import Remark
from ocgate.config.settings import Settings, Store
from ocgate.config.settings_credentials import SigningKeys, State
from ocgate.config.settings_door import Paths
from ocgate.config.sources import Sources
from ocgate.config.table import TABLE, VARIABLES
from ocgate.config.yaml_nodes import Node

_DEFAULT_NODES = {
    "nats-js-kv": ("127.0.0.1:9233",),
    "opencloudstoreservice": ("eu.opencloud.api.store",),
    "ocisstoreservice": ("com.owncloud.api.store",),
}
_TWIN = ("OCS_PRESIGNEDURL_", "PROXY_PRESIGNEDURL_")
_MEMORY = ("memory", "noop")


def complete_paths(paths: Paths, environ: Mapping[str, str]) -> Paths:
    """Return the folders, with those of the home directory where nothing is said."""
    home = environ.get("HOME", "")
    own = str(Path(home) / ".ocgate") if home else ""
    return Paths(
        data=paths.data or own or "/var/lib/ocgate",
        config=paths.config or (f"{own}/config" if own else "/etc/ocgate"),
    )


def completed(settings: Settings, sources: Sources) -> Settings:
    """Return the settings with every path and store complete; contradictions go to `sources`."""
    data = Path(settings.paths.data)
    door = replace(
        settings.door,
        tls_cert=settings.door.tls_cert or str(data / "proxy" / "server.crt"),
        tls_key=settings.door.tls_key or str(data / "proxy" / "server.key"),
    )
    csp = settings.csp
    beside = str(data / "proxy" / "csp.yaml")
    if not csp.files and _is_there(sources, beside):
        csp = replace(csp, files=(beside,))
    store = state_store(settings.state, data)
    settings = replace(
        settings,
        door=door,
        csp=csp,
        cors=replace(settings.cors, credentials=_credentials(settings, sources)),
        ocs_cors=replace(settings.ocs_cors, credentials=_ocs_credentials(settings, sources)),
        store=store,
        key_store=key_store(settings.signing_keys, store),
    )
    check(settings, sources)
    return settings


def state_store(state: State, data: Path) -> Store:
    """Return the store of the state."""
    return Store(
        kind=state.kind,
        nodes=state.nodes or _DEFAULT_NODES.get(state.kind, ()),
        username=state.username,
        password=state.password,
        path=state.path or str(data / "ocgate.sqlite"),
        timeout=state.timeout,
        registry=state.registry,
        registry_username=state.registry_username,
        registry_password=state.registry_password,
    )


def key_store(keys: SigningKeys, store: Store) -> Store:
    """Return the store of signing keys: the state's, unless the family's variables name one."""
    if not keys.kind:
        return store
    return replace(
        store,
        kind=keys.kind,
        nodes=keys.nodes or _DEFAULT_NODES.get(keys.kind, ()),
        username=keys.username,
        password=keys.password,
    )


def check(settings: Settings, sources: Sources) -> None:
    """Add what contradicts itself to the mistakes, and what surprises to the warnings."""
    stores = {"OCGATE_STORE_NODES": settings.store}
    if settings.signing_keys.kind:
        stores["OCS_PRESIGNEDURL_SIGNING_KEYS_STORE_NODES"] = settings.key_store
    for name, store in stores.items():
        mistake = wrong_nodes(store)
        if mistake:
            sources.mistakes.append(Remark(name, mistake))
    if settings.signing_keys.nodes and not settings.signing_keys.kind:
        text = "has no effect without a kind of store for signing keys, such as nats-js-kv"
        sources.warnings.append(Remark("OCS_PRESIGNEDURL_SIGNING_KEYS_STORE_NODES", text))
    if settings.basic.enabled and not settings.basic.users_file:
        text = "is true, but OCGATE_USERS_FILE names no users; nobody can log in with a password"
        sources.warnings.append(Remark("PROXY_ENABLE_BASIC_AUTH", text))
    # What could not be read is no finding a second time, as a value that is missing.
    served = sources.mistakes or any(route.backend for route in settings.routes)
    if settings.services >= {"proxy"} and not served:
        text = "is not set and no route names a backend; there is nothing to be a gate for"
        sources.warnings.append(Remark("OCGATE_UPSTREAM", text))
    _check_cache_variables(sources)
    _check_spellings(sources)
    _check_twins(sources)


def wrong_nodes(store: Store) -> str:
    """Say what is wrong with the nodes of a store, or nothing."""
    if store.kind in ("redis", "redis-sentinel") and not store.nodes:
        return f"{store.kind} needs nodes"
    for node in store.nodes if store.kind == "redis-sentinel" else ():
        address, _, master = node.partition("/")
        if not master or not address.rpartition(":")[2].isdecimal():
            return f"{node!r} is not of the form host:port/master, as redis-sentinel needs it"
    return ""


def _check_cache_variables(sources: Sources) -> None:
    """Warn about variables that mean to set a cache and set the signing keys with it."""
    for name, twin in (("OC_CACHE_STORE", "_STORE"), ("OC_CACHE_TTL", "_STORE_TTL")):
        for spelling in ("OCIS_" + name.removeprefix("OC_"), name):
            alone = not any(f"{half}SIGNING_KEYS{twin}" in sources.environ for half in _TWIN)
            if sources.environ.get(spelling) and alone:
                text = f"counts for the signing keys too; {_TWIN[0]}SIGNING_KEYS{twin} sets theirs"
                if sources.environ[spelling] in _MEMORY:
                    sources.mistakes.append(Remark(spelling, text + " (for example to nats-js-kv)"))
                else:
                    sources.warnings.append(Remark(spelling, text))


def _check_spellings(sources: Sources) -> None:
    """Warn where a variable says one thing in OpenCloud's spelling and another in oCIS's."""
    for name, value in sources.environ.items():
        other = "OC_" + name.removeprefix("OCIS_")
        both = name.startswith("OCIS_") and name in VARIABLES
        if both and sources.environ.get(other, value) != value:
            sources.warnings.append(Remark(name, f"differs from {other}, which counts"))


def _check_twins(sources: Sources) -> None:
    """Warn where the settings of the ocs and the proxy service name different stores."""
    for row in TABLE:
        if row.section == "signing_keys":
            nodes = {path.partition(":")[0]: sources.node(path) for path in row.key.yaml}
            ours, theirs = nodes.get("ocs"), nodes.get("proxy")
            if ours and theirs and not _same(ours, theirs):
                text = f"differs from {theirs.place}; in the family presigned URLs fail then, here"
                sources.warnings.append(Remark(ours.place, f"{text} {theirs.place} counts"))
    for name, value in sources.environ.items():
        other = name.replace(*_TWIN)
        if name.startswith(_TWIN[0]) and sources.environ.get(other, value) != value:
            text = (
                f"differs from {other}; in the family presigned URLs fail then, here {other} counts"
            )
            sources.warnings.append(Remark(name, text))


def _same(one: Node, other: Node) -> bool:
    if one.items is not None and other.items is not None:
        return [item.text for item in one.items] == [item.text for item in other.items]
    return one.text == other.text


def _credentials(settings: Settings, sources: Sources) -> bool:
    return _allowed(settings.cors.origins, settings.cors.credentials, "OCGATE_CORS", sources)


def _ocs_credentials(settings: Settings, sources: Sources) -> bool:
    cors = settings.ocs_cors
    return _allowed(cors.origins, cors.credentials, "OCS_CORS", sources)


def _allowed(origins: tuple[str, ...], credentials: bool, prefix: str, sources: Sources) -> bool:
    if credentials and "*" in origins:
        text = "credentials are never allowed together with the origin `*`; they stay off"
        sources.warnings.append(Remark(f"{prefix}_ALLOW_CREDENTIALS", text))
        return False
    return credentials


def _is_there(sources: Sources, path: str) -> bool:
    try:
        return sources.read(path) is not None
    except (OSError, ValueError):
        return True  # whoever reads it says what is wrong with it
