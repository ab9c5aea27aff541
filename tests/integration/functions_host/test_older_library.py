"""The app with older versions of azure-functions, which workers bring that are behind: all functions load."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".local" / "cache" / "older-libraries"
_INDEX = """
import sys
sys.path.insert(0, sys.argv[2])
sys.path.append(sys.argv[1])
import azure.functions as func
assert func.__file__.startswith(sys.argv[2]), func.__file__
import function_app
print(len(function_app.app.get_functions()))
"""


def installed(version: str) -> Path:
    """A folder with nothing but this version; kept, since it never changes. Skips where no index can be reached."""
    folder = CACHE / version
    if not (folder / "azure" / "functions").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        done = subprocess.run([*command, f"azure-functions=={version}"], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"azure-functions {version} cannot be had here: {done.stderr.strip()[-200:]}")
    return folder


@pytest.mark.parametrize("version", ["1.17.0", "1.21.3", "1.24.0"])
def test_all_functions_load(version: str) -> None:
    command = [sys.executable, "-I", "-W", "ignore", "-c", _INDEX, str(ROOT), str(installed(version))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 43
