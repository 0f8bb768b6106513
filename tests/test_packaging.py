"""What is installed is complete and runs by itself: the wheel, its page, its command."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from server import __version__

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("server", "pipeline", "tracking", "models", "training")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        folder,
        ROOT,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("visavis-*.whl")
    return found


def test_the_version_is_the_same_everywhere(wheel: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == __version__
    assert wheel.name.startswith(f"visavis-{__version__}-")


def test_the_wheel_holds_every_file_of_the_source_tree_and_nothing_else(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    source = {f"server/{path.relative_to(ROOT)}" for path in (ROOT / "static").rglob("*") if path.is_file()}
    for package in PACKAGES:
        files = (path for path in (ROOT / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        source |= {str(path.relative_to(ROOT)) for path in files}
    assert held == source
    assert "server/static/index.html" in held
    assert "server/trust_page.html" in held
    assert "models/packs/open.toml" in held


def test_the_installed_wheel_runs_without_the_source_tree(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    code = "import server.app, server; print(server.__file__); print(server.app.static_folder())"
    environ = {"PYTHONPATH": str(target), "PATH": "", "HOME": str(tmp_path)}

    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], env=environ, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert python("-c", code).split() == [str(target / "server" / "__init__.py"), str(target / "server" / "static")]
    assert python("-m", "server", "--version") == f"visavis, version {__version__}\n"
