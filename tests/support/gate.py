"""`ocgate serve` as a child process, as an operator starts it."""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import bcrypt

from tests.support.asking import Answer, ask
from tests.support.presign import presigned, target_of
from tests.support.processes import Child, reserved_port

ALAN = ("alan", "demo")
MARY = ("mary", "a longer: password")
LYNN = ("lynn", "lynn's")
USERS: dict[str, str] = dict([ALAN, MARY, LYNN])

OWN_PREFIXES = ("OC_", "OCIS_", "OCS_", "OCGATE_", "PROXY_", "OCM_", "AUTH_APP_")


class Gate:
    """A gate that can be stopped, killed and started again on its port and with its data."""

    def __init__(self, *, port: int, debug_port: int, env: Mapping[str, str], folder: Path) -> None:
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"
        self.debug_origin = f"http://127.0.0.1:{debug_port}"
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(OWN_PREFIXES)},
            "PYTHONUNBUFFERED": "1",
            "PROXY_HTTP_ADDR": f"127.0.0.1:{port}",
            "PROXY_DEBUG_ADDR": f"127.0.0.1:{debug_port}",
            "OC_URL": self.origin,
            "OC_BASE_DATA_PATH": str(folder),
            "PROXY_ENABLE_BASIC_AUTH": "true",
            "OCGATE_USERS_FILE": str(_htpasswd(folder)),
            **env,
        }
        self.log = folder / f"gate-{port}.log"
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def start(self) -> None:
        """Start it and wait until it says that it is alive."""
        self._child = Child(self.command("serve"), env=self.env, output=self.log)
        self._child.wait_until(self.alive)

    def alive(self) -> bool:
        try:
            return ask(self.debug_origin, "GET", "/healthz", seconds=5).status == 200
        except OSError:
            return False

    def stop(self) -> None:
        """End it by SIGTERM; AssertionError unless it says that all went well."""
        assert self._child is not None
        code = self._child.terminate()
        self._child = None
        assert code == 0, f"exit code {code}\n{self.printed()}"

    def kill(self) -> None:
        """End it by SIGKILL, as the machine or the kernel would."""
        assert self._child is not None
        self._child.kill()
        self._child = None

    @property
    def started(self) -> bool:
        return self._child is not None

    def printed(self) -> str:
        """Return what it has written to stdout and stderr so far."""
        return self.log.read_text(errors="replace")

    def command(self, *arguments: str) -> list[str]:
        """Return the argument list of an ocgate command, to be run with `self.env`."""
        return [sys.executable, "-m", "ocgate", *arguments]

    def ask(
        self,
        method: str,
        target: str,
        *,
        auth: tuple[str, str] | None = ALAN,
        headers: Mapping[str, str] | None = None,
        body: bytes | Sequence[bytes] | None = None,
    ) -> Answer:
        """Send one request, as alan unless said otherwise."""
        return ask(self.origin, method, target, headers=headers, body=body, auth=auth)

    def signing_key(self, who: tuple[str, str] = ALAN) -> str:
        """Fetch a user's signing key as a client does."""
        answer = self.ask("GET", "/ocs/v2.php/cloud/user/signing-key?format=json", auth=who)
        assert answer.status == 200, answer
        key = json.loads(answer.body)["ocs"]["data"]["signing-key"]
        assert isinstance(key, str)
        return key

    def presigned(self, method: str, path: str, *, key: str | None = None, user: str = "") -> str:
        """Return a presigned URL for an escaped path (alan's unless said otherwise)."""
        name = user or ALAN[0]
        key = key or self.signing_key((name, USERS[name]))
        return presigned(self.env["OC_URL"] + path, user=name, key=key, method=method)

    def ask_presigned(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Sequence[bytes] | None = None,
    ) -> Answer:
        """Make a presigned URL for this request and use it without any other credential."""
        target = target_of(self.presigned(method, path))
        return self.ask(method, target, auth=None, headers=headers, body=body)


@contextlib.contextmanager
def running_gate(
    upstream: str, *, env: Mapping[str, str] | None = None, folder: Path | None = None
) -> Generator[Gate]:
    """Run a gate in front of `upstream` (an origin) with users alan, mary and lynn.

    `env` adds to its environment. With `folder` several gates share their data. At the end it
    has to go by SIGTERM with exit code 0; what it printed is shown when the test failed.
    """
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ocgate-")))
        port = stack.enter_context(reserved_port())
        debug_port = stack.enter_context(reserved_port())
        env = {"OCGATE_UPSTREAM": upstream, **(env or {})}
        gate = Gate(port=port, debug_port=debug_port, env=env, folder=folder)
        try:
            gate.start()
            yield gate
        except BaseException:
            print(gate.printed() if gate.log.exists() else "the gate printed nothing")
            if gate.started:
                gate.kill()
            raise
        if gate.started:
            gate.stop()


def _htpasswd(folder: Path) -> Path:
    """Write the users with cheap hashes."""
    file = folder / "users.htpasswd"
    if not file.exists():
        lines = [
            f"{name}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}\n"
            for name, password in USERS.items()
        ]
        file.write_text("".join(lines))
    return file
