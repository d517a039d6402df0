"""Build the wheel, install it in an empty environment and import it there.

The editable install of a checkout hides a wheel that misses one of the two roots; this is
what `pip install ocgate` gives. Run by `make check`.
"""

import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch)
        subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", "--outdir", scratch, str(ROOT)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (wheel,) = target.glob("*.whl")
        tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
        packages = {top for top in tops if not top.endswith(".dist-info")}
        if packages != {"ocgate", "ocgate_middleware"}:
            print(f"the wheel holds {sorted(packages)}")
            return 1
        modules = [
            name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            for name in zipfile.ZipFile(wheel).namelist()
            if name.endswith(".py") and "__main__" not in name and "_pb2" not in name
        ]
        venv.create(target / "venv", with_pip=True)
        python = target / "venv" / "bin" / "python"
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        locked = ["--require-hashes", "-r", str(ROOT / "requirements" / "server.txt")]
        subprocess.run([*pip, *locked], check=True)
        subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
        imports = "\n".join(f"import {module}" for module in modules)
        subprocess.run([str(python), "-W", "error", "-c", imports], check=True, cwd=scratch)
        version = subprocess.run(
            [str(target / "venv" / "bin" / "ocgate"), "--version"],
            check=True,
            cwd=scratch,
            capture_output=True,
            text=True,
        ).stdout.strip()
    print(f"wheel: {len(modules)} modules import from an empty environment; {version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
