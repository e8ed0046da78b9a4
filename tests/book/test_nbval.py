"""The comparison of notebooks sees what it should see, and only that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

from facelab.viz.figure import InteractiveFigure
from tools.book.layout import ROOT

ALT = "A line through {} points, rising."
SHOW = """import numpy as np
from facelab.viz.figure import InteractiveFigure
InteractiveFigure({{"data": [{{"y": {heights}}}]}}, {alt!r}, np.zeros((4, 4, 3)))"""


def compare(folder: Path, source: str, output: nbformat.NotebookNode) -> str:
    """Run nbval over one cell with a committed output, and return what pytest says in its last line."""
    cell = nbformat.v4.new_code_cell(source, outputs=[output], execution_count=1)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "page.ipynb")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--nbval",
        "--nbval-current-env",
    ]
    command += ["--nbval-sanitize-with", str(ROOT / "tests/book/sanitize.cfg"), str(folder / "page.ipynb")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("committed", "source", "verdict"),
    [
        ("error 2.31 %", 'print("error 2.31 %")', "1 passed"),
        ("error 2.31 %", 'print("error 2.32 %")', "1 failed"),
        ("took 3.2 s on cuda", 'print("took 41 s on cpu")', "1 passed"),
    ],
)
def test_numbers_are_compared_and_times_are_not(tmp_path: Path, committed: str, source: str, verdict: str) -> None:
    output = nbformat.v4.new_output("stream", name="stdout", text=committed + "\n")
    assert compare(tmp_path, source, output).startswith(verdict)


@pytest.mark.parametrize(
    ("heights", "points", "verdict"), [([0.0, 1.0000001], 2, "1 passed"), ([0.0, 1.0, 2.0], 3, "1 failed")]
)
def test_figures_are_compared_by_their_text(tmp_path: Path, heights: list, points: int, verdict: str) -> None:
    figure = InteractiveFigure({"data": [{"y": [0.0, 1.0]}]}, ALT.format(2), np.zeros((4, 4, 3)))
    output = nbformat.v4.new_output("execute_result", figure._repr_mimebundle_(), execution_count=1)
    source = SHOW.format(heights=heights, alt=ALT.format(points))
    assert compare(tmp_path, source, output).startswith(verdict)
