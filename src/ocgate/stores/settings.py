"""Which backend keeps the state, and how it is reached."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What an operator says about a store; `open_store` makes a `Store` of it.

    `nodes` are written as the family writes them: `host:port` for NATS and Redis,
    `host:port/master` for Redis Sentinel, a service name or `host:port` for the store service.
    `path` is the file of the `sqlite` kind. `timeout` is the longest a call may take, in seconds.
    `registry` says where the store service is looked up: the nodes of the NATS server that holds
    the family's service registry (`MICRO_REGISTRY_ADDRESS`).
    """

    kind: str
    nodes: tuple[str, ...] = ()
    username: str = ""
    password: str = field(default="", repr=False)
    path: str = ""
    timeout: float = 1.0
    registry: tuple[str, ...] = ("127.0.0.1:9233",)
    registry_username: str = ""
    registry_password: str = field(default="", repr=False)
