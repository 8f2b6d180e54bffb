"""The wheel: it holds the five packages and nothing else, and works where no checkout is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"commands", "flows", "tasks", "data_contracts", "sluice"}
pytestmark = pytest.mark.server  # slow-ish: not among the tests that finish in a minute


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: a build leaves folders beside the sources, and takes up those it finds."""
    source = tmp_path_factory.mktemp("source")
    for name in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("benchmarks", "docs", "examples", "recipes", "tests"):
        (source / name).mkdir()
        (source / name / "module.py").write_text("")  # must not be taken up
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist"]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next((source / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, and with the dependencies of this one but not its checkout."""
    folder = tmp_path_factory.mktemp("elsewhere")
    run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], folder)
    python = folder / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    run([*pip, "--no-deps", "--no-index", str(wheel)], folder)
    # Named in a .pth, a folder joins the path, but its own .pth files, such as that of the
    # editable checkout, are not read.
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "venv" / "lib" / version / "site-packages"
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def run(command: list[str], folder: Path) -> str:
    """Run a command outside of the checkout; returns what it printed."""
    hidden = ("PYTHONPATH", "SLUICE_HOME", "VIRTUAL_ENV")
    environment = {k: v for k, v in os.environ.items() if k not in hidden}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_it_holds_the_five_packages_only(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert {"sluice/py.typed", "sluice/evaluation/report.html.jinja"} <= set(names)
    assert not [name for name in names if name.split("/")[-1].startswith(("test_", "tiny_"))]


def test_every_module_of_the_checkout_is_in_it(wheel: Path) -> None:
    there = set(zipfile.ZipFile(wheel).namelist())
    modules = {
        str(path.relative_to(ROOT)) for name in PACKAGES for path in (ROOT / name).rglob("*.py")
    }
    assert modules <= there


def test_the_command_line_works_outside_the_checkout(elsewhere: Path) -> None:
    sluice = str(elsewhere / "venv" / "bin" / "sluice")
    recipe = ROOT / "recipes" / "customer_service.yaml"
    assert "Retrain a language model" in run([sluice, "--help"], elsewhere)
    assert "a usable recipe" in run([sluice, "check", str(recipe)], elsewhere)


def test_entry_points_are_imported_from_the_wheel(elsewhere: Path) -> None:
    python = str(elsewhere / "venv" / "bin" / "python")
    names = ["flows.landing_watch", "flows.retrain", "flows.promote", "commands.main", "sluice"]
    code = f"import importlib; [print(importlib.import_module(n).__file__) for n in {names}]"
    places = run([python, "-c", code], elsewhere).split()
    assert len(places) == len(names)
    assert all(Path(place).is_relative_to(elsewhere / "venv") for place in places)
