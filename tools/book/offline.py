"""The book as one file, for a place without a network."""

from __future__ import annotations

import os
import subprocess
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tools.book.layout import ROOT, BookError, notebooks

NAME = "heatmaps-to-meshes"
WHEELS = "wheels.txt"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same files make the same bytes, whenever they are packed
PACKAGE = ("README.md", "LICENSE", "MANIFEST.in", "pyproject.toml", "setup.py", "src", "data")  # what builds a wheel
BUILD = "setuptools>=77"  # what builds the package where nothing can be fetched
_README = f"""From Heatmaps to Meshes

Read: open site/index.html in a browser. Nothing is fetched from elsewhere.

Run: while there is a network, fetch what {WHEELS} lists, on a machine of the same kind:

    pip download -r {WHEELS} -d wheels

Later, without one:

    python -m venv .venv
    .venv/bin/pip install --no-index --find-links wheels -r {WHEELS}
    .venv/bin/pip install --no-index --no-deps --no-build-isolation ./package
    FACELAB_BOOK=package .venv/bin/python -m jupyter execute notebooks/foundations/measuring.ipynb

Trained networks, results and tables of the papers are in package/data.
"""


def pack(site: Path, target: Path) -> Path:
    """Writes the rendered pages, the notebooks, the package with its data and the list of wheels into one zip file.

    Files that git would not keep are left out.

    Args:
        site: folder of the rendered pages. target: the file, replaced if it is there.
    Returns:
        The file.
    Raises:
        BookError: if the folder has no first page.
    """
    if not (site / "index.html").is_file():
        raise BookError(f"{site}: expected rendered pages with index.html; run 'make html' first")
    return zipped(((f"{NAME}/{name}", content) for name, content in _contents(site)), target)


def zipped(contents: Iterable[tuple[str, bytes]], target: Path) -> Path:
    """Writes files, each with its name in the archive, into one zip file; nothing half-written is left."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.partial")
    try:
        with zipfile.ZipFile(scratch, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in contents:
                archive.writestr(_entry(name), content)
        os.replace(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)
    return target


def _contents(site: Path) -> Iterator[tuple[str, bytes]]:
    yield "README.txt", _README.encode()
    yield WHEELS, _wheels().encode()
    for path in sorted(site.rglob("*")):
        if path.is_file():
            yield f"site/{path.relative_to(site).as_posix()}", path.read_bytes()
    for page in notebooks():
        yield f"notebooks/{page.relative_to('book').as_posix()}", (ROOT / page).read_bytes()
    for path in kept(*PACKAGE):
        yield f"package/{path.as_posix()}", (ROOT / path).read_bytes()


def _wheels() -> str:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return "\n".join([*(line for line in lines if line and not line.startswith("#")), BUILD, ""])


def kept(*places: str) -> list[Path]:
    """Files below these places, relative to the root: all that git has or would take."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *places]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        raise BookError(f"{ROOT}: expected a git checkout: {listed.stderr.strip()}")
    return [path for path in map(Path, sorted(set(listed.stdout.splitlines()))) if (ROOT / path).is_file()]


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _LONG_AGO)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry
