"""Everything that can be set: the sections are the table, `Settings` is what was loaded."""

from dataclasses import dataclass, field
from datetime import timedelta

from ocgate.config.kinds import Secret
from ocgate.config.settings_backend import Identity, Upstream
from ocgate.config.settings_credentials import OIDC, Basic, Presigned, SigningKeys, State
from ocgate.config.settings_door import Debug, Door, Limits, Logs, Paths, Runtime
from ocgate.config.settings_responses import CORS, CSP, OCSCors, SecurityHeaders
from ocgate.core.routing import Route


@dataclass(frozen=True, slots=True)
class Store:
    """One store, with nothing left to look up elsewhere."""

    kind: str = "sqlite"
    nodes: tuple[str, ...] = ()
    username: str = ""
    password: Secret = field(default_factory=Secret)
    path: str = ""
    timeout: timedelta = timedelta(seconds=1)
    registry: tuple[str, ...] = ()
    registry_username: str = ""
    registry_password: Secret = field(default_factory=Secret)


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration of one process.

    The first fields are sections of the table. Paths are complete: what was empty has become
    the default path. `store` keeps the state and `key_store` the signing keys; they are equal
    unless the family's variables say otherwise.
    """

    paths: Paths = field(default_factory=Paths)
    runtime: Runtime = field(default_factory=Runtime)
    door: Door = field(default_factory=Door)
    limits: Limits = field(default_factory=Limits)
    debug: Debug = field(default_factory=Debug)
    logs: Logs = field(default_factory=Logs)
    upstream: Upstream = field(default_factory=Upstream)
    identity: Identity = field(default_factory=Identity)
    state: State = field(default_factory=State)
    signing_keys: SigningKeys = field(default_factory=SigningKeys)
    presigned: Presigned = field(default_factory=Presigned)
    basic: Basic = field(default_factory=Basic)
    oidc: OIDC = field(default_factory=OIDC)
    csp: CSP = field(default_factory=CSP)
    cors: CORS = field(default_factory=CORS)
    ocs_cors: OCSCors = field(default_factory=OCSCors)
    security_headers: SecurityHeaders = field(default_factory=SecurityHeaders)

    services: frozenset[str] = frozenset(("proxy", "ocs"))
    routes: tuple[Route, ...] = ()
    store: Store = field(default_factory=Store)
    key_store: Store = field(default_factory=Store)
