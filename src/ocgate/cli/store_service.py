"""`ocgate store-service`: the family's store service, which current releases lack."""

import argparse
import asyncio
import os
from pathlib import Path

from ocgate.cli import Commands
from ocgate.core.errors import ConfigError
from ocgate.stores.settings import StoreSettings


def add_to(commands: Commands) -> None:
    """Add the command; its `run` takes the parsed arguments and returns the exit code."""
    parser = commands.add_parser(
        "store-service",
        help="serve the family's store service over gRPC, persistent",
        description="Serve Read, Write, Delete and List of the family's store service over gRPC."
        " There is no authentication, as in the family: keep it on a loopback or private address.",
    )
    parser.add_argument("--path", type=Path, required=True, help="the SQLite file of the entries")
    parser.add_argument("--address", default="127.0.0.1:9460", help="host:port (%(default)s)")
    parser.add_argument(
        "--registry",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="NATS server of the service registry, several times for several; without it the"
        " service is found by its address only. The login is taken from"
        " MICRO_REGISTRY_AUTH_USERNAME and MICRO_REGISTRY_AUTH_PASSWORD",
    )
    parser.add_argument(
        "--advertise", default="", metavar="HOST:PORT", help="what the registry says (the address)"
    )
    parser.add_argument(
        "--service-name",
        action="append",
        default=[],
        help="name in the registry, several times for several"
        " (eu.opencloud.api.store and com.owncloud.api.store)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Raises ConfigError."""
    try:
        from ocgate.server.store_service_process import (  # noqa: PLC0415
            StoreServiceOptions,
            run_store_service,
        )
    except ModuleNotFoundError as exc:
        raise ConfigError(
            "ocgate store-service needs gRPC: pip install ocgate[store-service]"
        ) from exc
    from ocgate.stores.service_registry import service_registry  # noqa: PLC0415

    options = StoreServiceOptions(
        arguments.path, arguments.address, tuple(arguments.service_name), arguments.advertise
    )
    registry = None
    if arguments.registry:
        settings = StoreSettings(
            "nats-js-kv",
            registry=tuple(arguments.registry),
            registry_username=os.environ.get("MICRO_REGISTRY_AUTH_USERNAME", ""),
            registry_password=os.environ.get("MICRO_REGISTRY_AUTH_PASSWORD", ""),
        )
        registry = service_registry(settings)
    asyncio.run(run_store_service(options, registry, ready=_say_where))
    return 0


def _say_where(address: str) -> None:
    print(f"ocgate store-service listens on {address}", flush=True)
