"""What is known of the runs: cost, commit, and where committed outputs come from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tools.book import records
from tools.book.layout import ROOT, BookError, notebooks, short_name
from tools.book.measuring import metered
from tools.book.notebooks import canonical, read, write
from tools.book.trace import of_history
from tools.sphinx.run_records import measured_html, provenance

PAGE = Path("book/page.ipynb")
RUN = {
    "time": "2026-01-02T03:04:05+00:00", "commit": "0123456789+", "seconds": 61.2, "processor_seconds": 40.0,
    "peak_mb": 1234.5, "others": 0.0, "key": "not kept",
    "machine": {
        "processor": "A chip", "cores": 2, "threads": {"torch": 1}, "device": "cpu", "versions": {"torch": "2"},
    },
}  # fmt: skip


def small(shown: str, code: str = "print(1)") -> NotebookNode:
    parameters = nbformat.v4.new_code_cell(
        'profile = "cpu"\nseed = 3\ndevice = "auto"', metadata={"tags": ["parameters"]}
    )
    output = nbformat.v4.new_output("stream", name="stdout", text=shown)
    cell = nbformat.v4.new_code_cell(code, outputs=[output], execution_count=1)
    return canonical(nbformat.v4.new_notebook(cells=[parameters, cell]))


def test_time_and_memory_of_a_process_are_measured() -> None:
    grow = "import time; kept = bytearray(150_000_000); end = time.process_time() + 0.5\n"
    grow += "while time.process_time() < end: pass\ntime.sleep(0.5)"
    with metered() as cost:
        subprocess.run([sys.executable, "-c", grow], check=True)
    assert cost.seconds >= 1.0
    # The clocks of processes, processors and wall tick on their own: a tenth between them is no fault.
    assert 0.45 <= cost.processor_seconds <= 1.1 * cost.seconds
    assert 150 <= cost.peak_mb < 400
    assert 0 <= cost.others <= 1.1 * (os.cpu_count() or 1)


def test_processes_from_before_do_not_count() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as earlier:
        earlier_ran = earlier.poll() is None
        subprocess.run([sys.executable, "-c", "import time; time.sleep(1.5)"], check=True)
        with metered() as cost:
            pass
        earlier.communicate(b"\n")
    assert earlier_ran
    assert cost.peak_mb == 0


def test_costs_are_kept_by_page_and_profile_one_a_line(tmp_path: Path) -> None:
    file = tmp_path / "notebooks.json"
    for name, profile in (("b", "quick"), ("a", "quick"), ("a", "cpu"), ("b", "quick")):
        records.note_cost(name, profile, RUN, file)
    kept = records.read(file)["measured"]
    assert {name: set(profiles) for name, profiles in kept.items()} == {"a": {"cpu", "quick"}, "b": {"quick"}}
    assert "key" not in kept["a"]["cpu"]
    assert kept["a"]["cpu"]["seconds"] == 61.2
    assert sum('"seconds"' in line for line in file.read_text().splitlines()) == 3
    assert list(tmp_path.iterdir()) == [file]


def test_bad_records_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "notebooks.json"
    with pytest.raises(BookError, match="a: the run has no seconds.*; run it again"):
        records.note_cost("a", "cpu", {"key": "x"}, file)
    file.write_text('{"measured": {}}')
    with pytest.raises(BookError, match="notebooks.json: expected an object with measured and outputs"):
        records.read(file)
    file.write_text("{")
    with pytest.raises(BookError, match="notebooks.json: expected JSON"):
        records.read(file)


def test_a_digest_knows_outputs_and_not_where_they_stand() -> None:
    moved = small("1\n")
    moved.cells.insert(0, nbformat.v4.new_code_cell("x = 1", execution_count=1))
    assert records.digest(canonical(moved)) == records.digest(small("1\n"))
    assert records.digest(small("2\n")) != records.digest(small("1\n"))


def test_a_digest_does_not_know_the_exercises() -> None:
    longer = small("1\n")
    longer.cells += [nbformat.v4.new_markdown_cell("## Exercises\n\nTry."), small("2\n").cells[1]]
    assert records.digest(longer) == records.digest(small("1\n"))
    longer.cells[2]["source"] = "## More"
    assert records.digest(longer) != records.digest(small("1\n"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/code.py").write_text("a = 1\n")
    write(small("first\n"), tmp_path / PAGE)
    git(tmp_path, "init", "-q")
    save(tmp_path)
    return tmp_path


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    return subprocess.run(
        ["git", "-C", folder, *who, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def save(folder: Path) -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "m")
    return git(folder, "rev-parse", "HEAD")


def test_the_commit_has_a_plus_where_library_or_code_differ(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    assert records.commit(PAGE, checkout) == head
    write(small("other outputs\n"), checkout / PAGE)
    assert records.commit(PAGE, checkout) == head
    write(small("first\n", "print(2)"), checkout / PAGE)
    assert records.commit(PAGE, checkout) == f"{head}+"
    git(checkout, "checkout", "-q", "--", ".")
    (checkout / "src/code.py").write_text("a = 2\n")
    assert records.commit(PAGE, checkout) == f"{head}+"
    assert records.commit(PAGE, checkout / "src" / "none") == ""


def test_outputs_are_those_of_the_commit_that_brought_them(checkout: Path) -> None:
    write(small("device cpu, second\n"), checkout / PAGE)
    wanted = save(checkout)
    prose = small("device cpu, second\n")
    prose.cells.append(nbformat.v4.new_markdown_cell("words"))
    write(canonical(prose), checkout / PAGE)
    save(checkout)
    record = of_history(PAGE, read(checkout / PAGE), checkout)
    assert record["commit"] == wanted
    assert (record["source"], record["profile"], record["seed"], record["device"]) == ("history", "cpu", 3, "cpu")
    with pytest.raises(BookError, match="page: no commit and no run has its outputs"):
        of_history(PAGE, small("third\n"), checkout)


@pytest.mark.parametrize("page", notebooks(), ids=str)
def test_the_run_of_committed_outputs_is_known(page: Path) -> None:
    """Fails where outputs were changed by other means than `make reference`; `tools.book trace` finds their run."""
    record = records.read()["outputs"][short_name(page)]
    assert record["digest"] == records.digest(read(ROOT / page))
    assert len(record["commit"].rstrip("+")) == 40
    assert record["profile"] == "cpu"


def test_the_file_of_the_book_has_no_other_pages_and_no_empty_costs() -> None:
    found = records.read()
    names = {short_name(page) for page in notebooks()}
    assert set(found["measured"]) <= names and set(found["outputs"]) <= names
    for by_profile in found["measured"].values():
        for record in by_profile.values():
            assert record["seconds"] > 1 and record["peak_mb"] > 100


def test_the_table_shows_what_is_measured_and_says_what_is_not() -> None:
    html = measured_html({"quick": {**RUN, "others": 1.5}, "cpu": RUN})
    assert "<td>1 min 01 s*</td><td>40.0 s</td><td>1.2 GB</td>" in html
    assert "<td>1 min 01 s</td>" in html
    assert html.count("not measured") == 2
    assert "A chip, 2 cores, 1 thread, torch 2, 2026-01-02." in html
    assert "up to 1.5 cores busy" in html
    assert "busy" not in measured_html({"cpu": RUN})
    assert measured_html({}).count("not measured") == 4


def test_the_line_says_run_or_commit() -> None:
    record = {**RUN, "profile": "cpu", "seed": 0, "device": "cpu", "source": "run"}
    line = "Outputs: run on 2026-01-02 at commit 0123456+, profile cpu, device cpu, seed 0, 1 min 01 s"
    assert provenance(record) == line
    old = {**record, "source": "history", "seconds": None, "commit": "0123456789"}
    assert provenance(old) == "Outputs: committed on 2026-01-02 with 0123456, profile cpu, device cpu, seed 0"
