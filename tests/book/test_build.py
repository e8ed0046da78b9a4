"""Running, merging and selecting notebooks."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tools.book import runner, site
from tools.book.layout import BookError, check_profile, notebooks, pages, select, short_name
from tools.book.notebooks import canonical, injected, overrides, read, tagged, with_outputs, write
from tools.book.runner import run_key, run_one


def small(*sources: str) -> NotebookNode:
    parameters = nbformat.v4.new_code_cell('profile = "cpu"\nseed = 0', metadata={"tags": ["parameters"]})
    cells = [parameters, *(nbformat.v4.new_code_cell(source) for source in sources)]
    return canonical(nbformat.v4.new_notebook(cells=cells))


def test_unknown_parameter_is_refused() -> None:
    with pytest.raises(BookError, match="page: unknown parameter 'epocs'; this notebook has profile, seed"):
        overrides(small(), {"epocs": 3}, "page")


def test_only_what_differs_from_the_defaults_is_injected() -> None:
    assert overrides(small(), {"profile": "cpu", "seed": 4}, "page") == {"seed": 4}


def test_unknown_profile_is_refused() -> None:
    with pytest.raises(BookError, match="PROFILE is 'fast'; expected one of smoke, quick, cpu, gpu"):
        check_profile("fast")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--profile", "fast"], "error: PROFILE is 'fast'"),
        (["--only", "papers/none"], "error: ONLY is 'papers/none', which matches no notebook"),
        (["--parameters", "epocs=3"], "unknown parameter 'epocs'"),
        (["--parameters", "epocs"], "expected name=value"),
    ],
)
def test_the_command_ends_with_one_message(arguments: list[str], message: str) -> None:
    command = [sys.executable, "-m", "tools.book", "book", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_selection_by_folder_and_by_page() -> None:
    assert select("") == notebooks()
    chosen = [short_name(page) for page in select("papers/fan")]
    assert chosen == ["papers/fan/method", "papers/fan/ls3d-w", "papers/fan/experiments"]
    assert select("papers/fan/method") == select("book/papers/fan/method.ipynb")


def test_contents_name_existing_files_only(tmp_path: Path) -> None:
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: a\nchapters:\n  - file: b\n")
    (tmp_path / "a.md").touch()
    with pytest.raises(BookError, match=r"_toc.yml: 'b' must be one file"):
        pages(tmp_path)


def test_a_progress_bar_leaves_its_last_line_or_nothing() -> None:
    bar = nbformat.v4.new_output("stream", name="stderr", text="\r 10%\r 90%\r      \r")
    kept = nbformat.v4.new_output("stream", name="stdout", text="\r 10%\r 100%\ndone\n")
    cell = nbformat.v4.new_code_cell("train()", outputs=[bar, kept], execution_count=1)
    (output,) = canonical(nbformat.v4.new_notebook(cells=[cell])).cells[0].outputs
    assert output.text == " 100%\ndone\n"


def test_canonical_form_is_stable_and_forgets_the_run() -> None:
    first = small("print(1)")
    stream = [nbformat.v4.new_output("stream", name="stdout", text=part) for part in ("10%\r", "100%\n", "done\n")]
    first.cells[1].update(outputs=stream, execution_count=17)
    first.cells[1].metadata.update(papermill={"duration": 1.5})
    second = canonical(first)
    assert second.cells[1].outputs[0].text == "100%\ndone\n"
    assert second.cells[1].execution_count == 1
    assert "papermill" not in second.cells[1].metadata
    assert canonical(second) == second


def test_injection_stands_below_the_parameters_and_keeps_outputs() -> None:
    ran = small("print(seed)")
    ran.cells[1].update(outputs=[nbformat.v4.new_output("stream", name="stdout", text="0\n")], execution_count=1)
    result = injected(ran, {"profile": "smoke"})
    assert result.cells[1].source.strip() == '# Parameters\nprofile = "smoke"'
    assert result.cells[2].outputs[0].text == "0\n"
    assert ran.cells[1].outputs[0].text == "0\n"


def test_outputs_go_to_the_same_code_only() -> None:
    ran = small("print(1)")
    ran.cells[1].update(outputs=[nbformat.v4.new_output("stream", name="stdout", text="1\n")], execution_count=1)
    prose = small("print(1)")
    prose.cells.insert(0, nbformat.v4.new_markdown_cell("# New words"))
    assert with_outputs(prose, ran, "page").cells[2].outputs[0].text == "1\n"
    with pytest.raises(BookError, match="page: the run has other code"):
        with_outputs(small("print(2)"), ran, "page")


def test_key_depends_on_code_parameters_and_inputs_but_not_on_prose() -> None:
    key = run_key(small("a = 1"), {"profile": "quick"}, "library")
    prose = small("a = 1")
    prose.cells.append(nbformat.v4.new_markdown_cell("words"))
    assert run_key(prose, {"profile": "quick"}, "library") == key
    assert run_key(small("a = 2"), {"profile": "quick"}, "library") != key
    assert run_key(small("a = 1"), {"profile": "cpu"}, "library") != key
    assert run_key(small("a = 1"), {"profile": "quick"}, "changed") != key


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    monkeypatch.setattr(runner, "RUNS", tmp_path / "runs")
    return tmp_path


def run(folder: Path, notebook: NotebookNode, **injected: object) -> tuple[runner.Run, NotebookNode]:
    page = Path("book/page.ipynb")
    write(notebook, folder / page)
    result = run_one(page, "smoke", injected, "key", "[1/1] page")
    return result, read(runner.run_file(page, "smoke"))


def test_a_run_injects_hides_and_repeats_to_the_byte(folder: Path) -> None:
    result, executed = run(folder, small("print(profile, seed)"), profile="smoke", seed=3)
    assert result.problem == ""
    assert executed.cells[-1].outputs[0].text == "smoke 3\n"
    assert tagged(executed, "injected-parameters")[0].metadata["tags"] == [
        "injected-parameters",
        "remove-cell",
    ]
    assert runner.is_fresh(Path("book/page.ipynb"), "smoke", "key")
    assert not runner.is_fresh(Path("book/page.ipynb"), "smoke", "other key")
    once = runner.run_file(Path("book/page.ipynb"), "smoke").read_bytes()
    run(folder, small("print(profile, seed)"), profile="smoke", seed=3)
    assert runner.run_file(Path("book/page.ipynb"), "smoke").read_bytes() == once


def test_a_failing_cell_is_shown_and_leaves_nothing_fresh(folder: Path) -> None:
    result, _ = run(folder, small("faces = 0\nprint(1 / faces)"))
    assert "ZeroDivisionError" in result.problem
    assert "print(1 / faces)" in result.problem
    assert not runner.is_fresh(Path("book/page.ipynb"), "smoke", "key")


def test_a_notebook_may_not_outlast_its_profile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(runner.TIME_LIMITS, "smoke", 3)
    result, _ = run(folder, small("import time\ntime.sleep(60)"))
    assert "time limit of the profile is used up" in result.problem
    assert 2 <= result.cost.seconds < 30  # whole seconds are left to a cell


def test_notebooks_run_two_at_a_time(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each waits for a file that the other writes; the third fails alone."""
    sources = {
        "one": wait_for(folder / "two", folder / "one"),
        "two": wait_for(folder / "one", folder / "two"),
        "three": "1 / 0",
    }
    pages = [Path(f"book/{name}.ipynb") for name in sources]
    for page, source in zip(pages, sources.values(), strict=True):
        write(small(source), folder / page)
    told: list[Path] = []
    runs = runner.run_all(pages, "smoke", {}, after=lambda run: told.append(run.page), jobs=2)
    assert [run.page for run in runs] == pages
    assert [bool(run.problem) for run in runs] == [False, False, True]
    assert sorted(told) == sorted(pages[:2])
    assert "2 at a time" in capfd.readouterr().out
    assert runner.run_all(pages[:2], "smoke", {}, jobs=2) == [runner.Run(page, fresh=True) for page in pages[:2]]


def wait_for(other: Path, mine: Path) -> str:
    """Code of a cell that gives a sign and waits for that of the other, 20 seconds at most."""
    return (
        f"import time\nfrom pathlib import Path\nPath({str(mine)!r}).touch()\n"
        f"for _ in range(200):\n    time.sleep(0.1)\n    if Path({str(other)!r}).exists():\n        break\n"
        f"assert Path({str(other)!r}).exists()"
    )


def test_two_builds_of_one_variant_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "SITES", tmp_path)
    inside = []

    def slow(variant: str, outputs: site.Outputs) -> Path:
        inside.append("in")
        time.sleep(0.2)
        inside.append("out")
        return tmp_path

    monkeypatch.setattr(site, "_build", slow)
    builds = [threading.Thread(target=site.build, args=("any", site.committed)) for _ in range(2)]
    for build in builds:
        build.start()
    for build in builds:
        build.join()
    assert inside == ["in", "out"] * 2
