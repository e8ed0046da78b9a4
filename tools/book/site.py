"""Stages the book with its outputs and renders it into pages that need no network."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import distribution, version
from pathlib import Path

import plotly
from nbformat import NotebookNode
from plotly.offline import get_plotlyjs_version

from tools.book.layout import BOOK, BUILD, ROOT, SITES, BookError, short_name
from tools.book.notebooks import code_cells, read, with_outputs, write
from tools.book.runner import digest, run_file

# The equation renderer is one file; these folders hold what its context menu loads on demand.
MATHJAX_PARTS = (
    "tex-svg-full.js",
    "a11y",
    "sre",
    "ui",
    "input/mml.js",
    "input/mml",
    "output/chtml.js",
    "output/chtml",
)
COMMITTED = "committed"

Outputs = Callable[[Path, NotebookNode], NotebookNode]


def committed(page: Path, source: NotebookNode) -> NotebookNode:
    """Outputs as they lie in the repository."""
    return source


def of_profile(profile: str) -> Outputs:
    """Outputs of the last run under `profile` if it ran this very code, those of the repository otherwise."""

    def choose(page: Path, source: NotebookNode) -> NotebookNode:
        path = run_file(page, profile)
        if not path.with_suffix(".json").is_file():
            return source
        executed = read(path)
        if [cell.source for cell in code_cells(executed)] != [cell.source for cell in code_cells(source)]:
            return source
        return with_outputs(source, executed, short_name(page))

    return choose


def stage(folder: Path, outputs: Outputs) -> None:
    """Copy what Sphinx reads into `folder`, notebooks with the outputs that `outputs` chooses."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy2(ROOT / name, folder / name)
    shutil.copytree(
        ROOT / "tools" / "sphinx", folder / "tools" / "sphinx", ignore=shutil.ignore_patterns("__pycache__")
    )
    for path in sorted(BOOK.rglob("*")):
        if not path.is_file() or ".ipynb_checkpoints" in path.parts:
            continue
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".ipynb":
            write(outputs(path.relative_to(ROOT), read(path)), target)
        else:
            shutil.copy2(path, target)


def vendor(site: Path) -> None:
    """Copy plotly.js and MathJax from the installed packages into the site, and say whose they are."""
    target = site / "vendor"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy2(Path(plotly.__file__).parent / "package_data" / "plotly.min.js", target / "plotly.min.js")
    mathjax = Path(str(distribution("sphinx-mathjax-offline").locate_file("sphinx-mathjax-offline"))) / "static/mathjax"
    for part in MATHJAX_PARTS:
        source, copy = mathjax / part, target / "mathjax" / part
        if not source.exists():
            raise BookError(f"{source} is missing; reinstall sphinx-mathjax-offline")
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy)
        else:
            shutil.copy2(source, copy)
    (target / "THIRD-PARTY.txt").write_text(
        f"plotly.min.js: plotly.js {get_plotlyjs_version()}, MIT License, https://github.com/plotly/plotly.js\n"
        f"mathjax/: MathJax 3.2.2, Apache License 2.0, https://github.com/mathjax/MathJax "
        f"(from sphinx-mathjax-offline {version('sphinx-mathjax-offline')})\n",
        encoding="utf-8",
    )


def build(variant: str, outputs: Outputs) -> Path:
    """Render the book to `_build/site/<variant>` with warnings as errors; return its first page.

    Nothing is rendered when no source has changed since the last good build. Otherwise all pages are: Sphinx keeps
    the state of a failed build, and an incremental one after it would pass without repeating the warnings. A second
    build of the same variant waits for the first.
    """
    with _alone(variant):
        return _build(variant, outputs)


@contextmanager
def _alone(variant: str) -> Iterator[None]:
    """Hold the folders of a variant: two builds would remove each other's files."""
    SITES.mkdir(parents=True, exist_ok=True)
    with (SITES / f"{variant}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(variant: str, outputs: Outputs) -> Path:
    site, staged = SITES / variant, BUILD / "stage" / variant
    stage(staged, outputs)
    tools = sorted((ROOT / "tools").rglob("*.py"))
    sources = [path for path in sorted(staged.rglob("*")) if path.is_file()]
    key = digest([*tools, ROOT / "requirements.txt", *_facts(), *sources])
    stamp = SITES / f"{variant}.key"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == key and (site / "index.html").is_file():
        print("Pages: fresh")
        return site / "index.html"
    stamp.unlink(missing_ok=True)
    work = BUILD / "sphinx" / variant
    if work.exists():
        shutil.rmtree(work)
    _sphinx(staged, work)
    rendered = work / "_build" / "html"
    vendor(rendered)
    if site.exists():
        shutil.rmtree(site)
    site.parent.mkdir(parents=True, exist_ok=True)
    os.replace(rendered, site)
    stamp.write_text(key, encoding="utf-8")
    return site / "index.html"


def _sphinx(staged: Path, work: Path) -> None:
    start = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", start, "build", str(staged), "--path-output", str(work)]
    command += ["--all", "-W", "-n", "--keep-going", "-q"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if result.returncode or not (work / "_build" / "html" / "index.html").is_file():
        lines = (result.stdout + result.stderr).splitlines()
        raise BookError("Sphinx failed:\n" + "\n".join(line for line in lines if line.strip()))


def newest() -> Path:
    """The site that was built last. Raises BookError if there is none."""
    stamps = sorted(SITES.glob("*.key"), key=lambda path: path.stat().st_mtime)
    if not stamps:
        raise BookError("no site is built yet; run 'make book' or 'make html' first")
    return stamps[-1].with_suffix("")


def _facts() -> list[Path]:
    """What the tables of the pages and the reference of the package are made from: the data and the code."""
    folders = (ROOT / "data", ROOT / "src/lib/facelab")
    return [
        path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in (".csv", ".json", ".py", ".yml")
    ]
