"""The package as pip installs it: what it asks for, what is in it, and notebooks that have nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from tools.book.layout import ROOT
from tools.book.notebooks import injected, read, write
from tools.book.offline import BUILD, PACKAGE, kept

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LARGEST = 30_000_000  # bytes of the wheel, most of it the trained networks
# What Colab ships, of June 2026: googlecolab/backend-info, pip-freeze.gpu.txt at 03a89033b7dd, os-info-gpu.txt at
# 318e1b5b2da3.
COLAB_PYTHON = "3.12.13"
COLAB = """
click==8.4.1
h5py==3.16.0
ipywidgets==7.7.1
matplotlib==3.10.0
numba==0.60.0
numpy==2.0.2
opencv-python-headless==4.13.0.92
pillow==11.3.0
plotly==5.24.1
PyYAML==6.0.3
safetensors==0.7.0
scipy==1.16.3
torch==2.11.0+cu128
torchvision==0.26.0+cu128
tqdm==4.67.3
"""
# One that reads a table of a paper, one that reads nothing, one that reads recorded runs and their results.
ALONE = ("foundations/measuring", "foundations/landmarks", "papers/cln/experiments")
TELL = """import facelab
import facelab.places

print(facelab.__file__)
print(facelab.places.data_folder())"""
# In the environment of the wheel: whoever opens or lists something of the checkout is told so.
GUARD = """import os
import sys

CHECKOUT, ALLOWED = {checkout!r}, {allowed!r}


def _refuse(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and arguments and isinstance(arguments[0], (str, os.PathLike)):
        path = os.path.abspath(os.fspath(arguments[0]))
        if path.startswith(CHECKOUT) and not path.startswith(ALLOWED):
            raise PermissionError(f"{{path}}: of the checkout, which an installed package does not have")


sys.addaudithook(_refuse)
"""


def changed_by(requirements: list[str], shipped: str) -> list[str]:
    """Those of the requirements that pip would have to install, or to replace, where ``shipped`` is installed."""
    there = {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in shipped.split()}
    return [
        line
        for line in requirements
        if (wanted := Requirement(line)).specifier
        and (
            canonicalize_name(wanted.name) not in there or there[canonicalize_name(wanted.name)] not in wanted.specifier
        )
    ]


def test_colab_has_all_that_the_package_asks_for() -> None:
    assert PROJECT["dependencies"] and all(Requirement(line).specifier for line in PROJECT["dependencies"])
    assert changed_by(PROJECT["dependencies"], COLAB) == []
    assert Version(COLAB_PYTHON) in SpecifierSet(PROJECT["requires-python"])


@pytest.mark.parametrize("line", ["plotly>=6.1", "numpy<2", "timm>=1", "torch>=2.12"])
def test_a_requirement_that_colab_does_not_meet_is_found(line: str) -> None:
    assert changed_by([line, "tqdm>=4"], COLAB) == [line]


def test_the_ranges_hold_what_the_book_is_built_with() -> None:
    for line in PROJECT["dependencies"]:
        assert version(Requirement(line).name) in Requirement(line).specifier


def _pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what a clone has, and nothing else. Where setuptools is too old for that, pip fetches another."""
    tree, target = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("wheel")
    for path in kept(*PACKAGE):
        copy = tree / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, copy)
    own = Requirement(BUILD)
    isolation = ["--no-build-isolation", "--no-index"] if version(own.name) in own.specifier else []
    _pip("wheel", "--quiet", "--no-deps", *isolation, "--wheel-dir", target, tree)
    (built,) = target.glob("facelab-*.whl")
    return built


@pytest.fixture(scope="session")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an environment that has the wheel, all other packages of this one, and not the checkout."""
    home = tmp_path_factory.mktemp("alone")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    modules = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(home)}))
    _pip("install", "--quiet", "--no-deps", "--no-index", "--target", modules, wheel)
    allowed = (f"{sys.prefix}{os.sep}", f"{_cache()}{os.sep}")
    (modules / "guard.py").write_text(GUARD.format(checkout=f"{ROOT}{os.sep}", allowed=allowed), encoding="utf-8")
    others = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    (modules / "others.pth").write_text("\n".join([*others, "import guard", ""]), encoding="utf-8")
    return home / "bin" / "python"


def _cache() -> Path:
    """Rendered faces are shared with the other tests: they take minutes."""
    return Path(os.environ.get("FACELAB_CACHE") or ROOT / "_build" / "cache").absolute()


def _environment() -> dict[str, str]:
    """That of a stranger's machine."""
    dropped = ("FACELAB_BOOK", "FACELAB_DATA", "JUPYTER_PATH", "MPLBACKEND", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if name not in dropped} | {"FACELAB_CACHE": str(_cache())}


def test_the_wheel_is_small_and_has_what_the_notebooks_read(wheel: Path) -> None:
    assert wheel.stat().st_size < LARGEST
    with zipfile.ZipFile(wheel) as archive:
        names = {name.removeprefix("facelab/shipped/") for name in archive.namelist() if "/shipped/" in name}
    data = {path.relative_to("data").as_posix() for path in kept("data")}
    assert names <= data
    needed = ("claims.yml", "published/", "results/cpu/", "checkpoints/")
    assert {name for name in data if name.startswith(needed) and not name.startswith("published/README")} == names


def test_a_tree_without_data_makes_no_wheel(tmp_path: Path) -> None:
    for name in ("setup.py", "src"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile)(ROOT / name, tmp_path / name)
    command = [sys.executable, "setup.py", "--quiet", "build_py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert f"{tmp_path / 'data' / 'claims.yml'}: expected files of the book's data" in done.stderr


def test_the_wheel_reads_its_own_data_and_writes_nowhere(python: Path, tmp_path: Path) -> None:
    command = (
        "import facelab.places as p, facelab.ledger as l; print(p.__file__); print(p.data_folder());"
        "print(len(l.results('cpu')), len(l.claims())); p.data_folder(to_write=True)"
    )
    done = subprocess.run([python, "-c", command], cwd=tmp_path, env=_environment(), capture_output=True, text=True)
    where, data, counts = done.stdout.splitlines()
    assert Path(where).is_relative_to(python.parents[1]) and Path(data) == Path(where).parent / "shipped"
    assert all(int(count) > 0 for count in counts.split())
    assert "FileNotFoundError" in done.stderr and "set FACELAB_BOOK to a checkout of the book" in done.stderr


def test_the_checkout_is_out_of_reach(python: Path, tmp_path: Path) -> None:
    command = [python, "-c", f"open({str(ROOT / 'data' / 'claims.yml')!r})"]
    done = subprocess.run(command, cwd=tmp_path, env=_environment(), capture_output=True, text=True)
    assert done.returncode != 0 and "of the checkout, which an installed package does not have" in done.stderr


@pytest.mark.parametrize("name", ALONE)
def test_a_notebook_alone_runs_from_the_wheel(python: Path, tmp_path: Path, name: str) -> None:
    notebook = injected(read(ROOT / "book" / f"{name}.ipynb"), {"profile": "smoke"})
    notebook.cells.append(nbformat.v4.new_code_cell(TELL))
    write(notebook, tmp_path / "page.ipynb")
    command = [python, "-m", "papermill", "--no-progress-bar", "--kernel", "python3", "page.ipynb", "ran.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, env=_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    where, data = read(tmp_path / "ran.ipynb").cells[-1].outputs[0].text.split()
    assert Path(where).is_relative_to(python.parents[1]) and Path(data) == Path(where).parent / "shipped"
