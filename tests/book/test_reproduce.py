"""Running again finds what changed, and what nbval ran is kept for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tools.book import reproduce as module
from tools.book import runner
from tools.book.layout import ROOT, BookError
from tools.book.notebooks import canonical, injected, read, write
from tools.book.reproduce import reproduce

PAGE = Path("book/page.ipynb")
SAME, OTHER = "print(profile)", "import uuid\nprint(uuid.uuid4().int)"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for place in (module, runner):
        monkeypatch.setattr(place, "ROOT", tmp_path)
    monkeypatch.setattr(runner, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(runner, "inputs", lambda: [])
    monkeypatch.setattr(module, "FIRST", tmp_path / "first")
    return tmp_path


def put(folder: Path, source: str, shown: str = "") -> None:
    parameters = nbformat.v4.new_code_cell('profile = "cpu"', metadata={"tags": ["parameters"]}, execution_count=1)
    outputs = [nbformat.v4.new_output("stream", name="stdout", text=shown)] if shown else []
    cell = nbformat.v4.new_code_cell(source, outputs=outputs, execution_count=2)
    write(canonical(nbformat.v4.new_notebook(cells=[parameters, cell])), folder / PAGE)


@pytest.mark.parametrize(("shown", "differing"), [("cpu\n", []), ("old\n", ["page"])])
def test_committed_outputs_are_compared(
    folder: Path, capsys: pytest.CaptureFixture[str], shown: str, differing: list[str]
) -> None:
    put(folder, SAME, shown)
    assert reproduce([PAGE], "cpu", None) == differing
    said = capsys.readouterr().out
    assert ("differs" in said and "-old" in said and "+DEVICE" in said) if differing else "identical" in said


@pytest.mark.parametrize(("source", "differing"), [(SAME, []), (OTHER, ["page"])])
def test_two_runs_are_compared_where_nothing_is_recorded(folder: Path, source: str, differing: list[str]) -> None:
    put(folder, source)
    assert reproduce([PAGE], "smoke", None) == differing


def test_a_run_that_fails_or_is_missing_is_told(folder: Path) -> None:
    put(folder, "1 / 0")
    with pytest.raises(BookError, match="1 notebooks failed: page"):
        reproduce([PAGE], "smoke", None)
    with pytest.raises(BookError, match=r"page.ipynb: expected the notebook of a first run"):
        reproduce([PAGE], "smoke", folder / "none")


def test_what_nbval_ran_is_kept(folder: Path) -> None:
    """Also where nbval ignores the output, and also of a notebook that fails."""
    put(folder, SAME, "committed\n")
    write(injected(read(folder / PAGE), {"profile": "smoke"}), folder / "copies" / PAGE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
    command += ["-p", "tools.book.keep_outputs", f"--keep-outputs={folder / 'kept'}", str(folder / "copies")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "1 failed" in done.stdout  # nbval's own comparison still works
    assert [cell.outputs[0].text for cell in read(folder / "kept" / PAGE).cells if cell.outputs] == ["smoke\n"]
    assert reproduce([PAGE], "smoke", folder / "kept" / "book") == []
