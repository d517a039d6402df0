import re
from pathlib import Path

from ocgate.app.backends import Backends
from ocgate.config.load import load
from ocgate.config.settings import Settings
from ocgate.core.routing import Route
from ocgate.upstream.relay import Relay
from tests.app.conftest import ALAN, gate_of
from tests.support.recorder import Recorder


def settings(tmp_path: Path) -> Settings:
    return load({"OC_BASE_DATA_PATH": str(tmp_path)}).settings


async def test_routes_to_the_same_addresses_share_their_connections(tmp_path: Path) -> None:
    backends = Backends(settings(tmp_path))
    one = backends.serving(Route("/a", backend=("http://127.0.0.1:1",)), {})
    two = backends.serving(Route("/b", backend=("http://127.0.0.1:1",)), {})
    other = backends.serving(Route("/c", backend=("http://127.0.0.1:2",)), {})
    assert isinstance(one, Relay)
    assert isinstance(two, Relay)
    assert isinstance(other, Relay)
    assert one._upstream is two._upstream
    assert one._upstream is not other._upstream
    backends.close()


async def test_each_route_has_its_own_headers(
    environ: dict[str, str], recorder: Recorder, tmp_path: Path
) -> None:
    del environ["OCGATE_UPSTREAM"]
    (tmp_path / "proxy.yaml").write_text(
        f"""
policies:
  - name: default
    routes:
      - endpoint: /special
        backend: {recorder.origin}
        remote_user_header: X-WebDAV-User
        additional_headers:
          X-Zone: north
      - endpoint: /
        backend: {recorder.origin}
"""
    )
    async with gate_of(environ) as (_, client):
        await client.get("/special", auth=ALAN)
        special = recorder.everything()
        recorder.clear()
        await client.get("/usual", auth=ALAN)
        usual = recorder.everything()
    assert b"x-webdav-user: alan\r\n" in special
    assert b"x-zone: north\r\n" in special
    assert b"x-remote-user: alan\r\n" in usual
    assert b"x-zone" not in usual


async def test_a_service_that_does_not_run_here_is_a_503(
    environ: dict[str, str], tmp_path: Path
) -> None:
    del environ["OCGATE_UPSTREAM"]
    (tmp_path / "proxy.yaml").write_text(
        """
policies:
  - name: default
    routes:
      - endpoint: /graph/
        service: eu.opencloud.web.graph
"""
    )
    async with gate_of(environ) as (_, client):
        assert (await client.get("/graph/v1.0/me", auth=ALAN)).status_code == 503
        assert (await client.get("/graph/v1.0/me")).status_code == 401


async def test_no_client_sends_what_is_ours_under_any_configured_name(
    environ: dict[str, str], recorder: Recorder, tmp_path: Path
) -> None:
    del environ["OCGATE_UPSTREAM"]
    environ |= {"OCGATE_USER_HEADER": "X-Whoami", "OCGATE_GROUPS_HEADER": "X-Grp"}
    (tmp_path / "proxy.yaml").write_text(
        f"""
policies:
  - name: default
    routes:
      - endpoint: /open
        backend: {recorder.origin}
        unprotected: true
      - endpoint: /special
        backend: {recorder.origin}
        remote_user_header: X-WebDAV-User
        additional_headers:
          X-Zone: north
      - endpoint: /
        backend: {recorder.origin}
"""
    )
    forged = {
        "X-Whoami": "forged-1",
        "x.grp": "forged-2",
        "X-WebDAV-User": "forged-3",
        "X-Zone": "forged-4",
    }
    async with gate_of(environ) as (_, client):
        await client.get("/open/x", headers=forged)
        await client.get("/x", headers=forged, auth=ALAN)
        await client.get("/x", headers={"X-Honest": "honest"}, auth=ALAN)
    seen = recorder.everything()
    assert re.findall(rb"forged-[1-4]", seen) == []
    assert b"x-honest: honest\r\n" in seen
    assert seen.count(b"x-whoami: alan\r\n") == 2
