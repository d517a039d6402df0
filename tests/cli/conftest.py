from pathlib import Path

import bcrypt
import pytest


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of an operator with the users alan and mary, mary being disabled."""
    digest = bcrypt.hashpw(b"demo", bcrypt.gensalt(4)).decode()
    users = tmp_path / "users.yaml"
    users.write_text(
        f"users:\n  - name: alan\n    password_hash: {digest}\n"
        f"  - name: mary\n    enabled: false\n    password_hash: {digest}\n"
    )
    environ = {
        "OC_BASE_DATA_PATH": str(tmp_path),
        "OC_CONFIG_DIR": str(tmp_path),
        "OC_URL": "https://files.example.org",
        "OCGATE_USERS_FILE": str(users),
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return environ
