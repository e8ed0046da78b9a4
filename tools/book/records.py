"""What is known of the runs of the notebooks: their cost by profile, and the run whose outputs lie in book/.

`data/results/notebooks.json` has two parts. ``measured`` gives a page and a profile the cost of a run; ``outputs``
gives a page the run that its committed outputs come from. Each entry stands in a line of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from tools.book.layout import ROOT, BookError, replace_text
from tools.book.measuring import Cost
from tools.book.notebooks import code_cells

FILE = ROOT / "data" / "results" / "notebooks.json"
EXERCISES = "\n## Exercises\n"
FIGURE_DATA = re.compile(r'<script type="application/json">(.*?)</script>', re.DOTALL)
PARTS = ("measured", "outputs")
COST = ("seconds", "processor_seconds", "peak_mb", "others")

Record = dict[str, Any]


def rounded(cost: Cost) -> Record:
    """The numbers of a cost, with as many digits as they are worth."""
    return {name: round(value, 1) for name, value in asdict(cost).items()}


def circumstances(page: Path, root: Path = ROOT) -> Record:
    """Time, commit and machine of a run that begins now."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(page, root),
        "machine": machine(),
    }


@cache
def machine() -> Record:
    """Processor, cores, threads, device and versions."""
    from facelab.provenance import provenance  # torch is slow to import

    known = provenance()
    versions = known["versions"]
    assert isinstance(versions, dict)
    return {
        "processor": known["processor"],
        "cores": known["cores"],
        "threads": known["threads"],
        "device": known["cuda"] or "cpu",
        "python": known["python"],
        "versions": {name: versions[name] for name in ("facelab", "torch", "numpy") if name in versions},
    }


def commit(page: Path, root: Path = ROOT) -> str:
    """The commit that is checked out, with ``+`` where library or code of the page differ from it; "" outside git."""
    head = git(root, "rev-parse", "HEAD")
    if head is None:
        return ""
    changed = bool(git(root, "status", "--porcelain", "--", "src", "requirements.txt"))
    before, path = git(root, "show", f"HEAD:{page.as_posix()}"), root / page
    if not changed and path.is_file():
        changed = before is None or _code(before) != _code(path.read_text(encoding="utf-8"))
    return head.strip() + "+" * changed


def git(root: Path, *words: str) -> str | None:
    """What git prints, or None if it fails."""
    ran = subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=False)
    return ran.stdout if ran.returncode == 0 else None


def _code(text: str) -> list[str]:
    return [cell.source for cell in code_cells(nbformat.reads(text, as_version=4))]


def outputs_of(notebook: NotebookNode) -> list[str]:
    """What the cells of a notebook computed, output by output, as text.

    Of an interactive figure its data count, not the frame that the library draws around them; counts of execution
    change with every cell that is inserted.
    """
    return [_computed(output) for cell in code_cells(notebook) for output in cell.outputs]


def _computed(output: NotebookNode) -> str:
    kept = {key: value for key, value in output.items() if key not in ("execution_count", "metadata")}
    figures = FIGURE_DATA.findall(output.get("data", {}).get("text/html", ""))
    if figures:
        kept["data"] = {**output.data, "text/html": figures}
    return json.dumps(kept, sort_keys=True)


def digest(notebook: NotebookNode) -> str:
    """A hash of what a chapter computed, without its exercises, which change without a run of the rest."""
    chapter = notebook.copy()
    chapter["cells"] = list(takewhile(lambda cell: EXERCISES not in f"\n{cell.source}\n", notebook.cells))
    return hashlib.sha256("\n".join(outputs_of(chapter)).encode()).hexdigest()[:16]


def read(path: Path = FILE) -> dict[str, Record]:
    """Both parts of the file; empty ones if there is none. Raises BookError for a file of another form."""
    if not path.is_file():
        return {part: {} for part in PARTS}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise BookError(f"{path}: expected JSON: {error}") from None
    if not isinstance(found, dict) or set(found) != set(PARTS):
        raise BookError(f"{path}: expected an object with {' and '.join(PARTS)}")
    return found


def note_cost(name: str, profile: str, run: Record, path: Path = FILE) -> None:
    """Keep the cost of a run of page `name`; `run` is what the runner left beside the executed notebook."""
    _check(run, (*COST, "time", "commit", "machine"), name)
    records = read(path)
    kept = {key: run[key] for key in ("time", "commit", *COST, "machine")}
    records["measured"].setdefault(name, {})[profile] = kept
    _write(records, path)


def note_outputs(name: str, record: Record, path: Path = FILE) -> None:
    """Keep which run the outputs of page `name` come from.

    The record has the digest of the outputs, time, commit, profile, device and seed. `source` is "run", or "history"
    where time and commit are those of the commit that brought the outputs. `seconds` may be None.
    """
    _check(record, ("digest", "time", "commit", "profile", "device", "seed", "seconds", "source"), name)
    records = read(path)
    records["outputs"][name] = record
    _write(records, path)


def _check(record: Record, keys: tuple[str, ...], name: str) -> None:
    missing = [key for key in keys if key not in record]
    if missing:
        raise BookError(f"{name}: the run has no {', '.join(missing)}; run it again")


def _write(records: dict[str, Record], path: Path) -> None:
    """One entry a line, in order, in one step."""
    measured = {
        name: "{\n" + ",\n".join(f"   {_line(p)}: {_line(r)}" for p, r in sorted(by_profile.items())) + "\n  }"
        for name, by_profile in records["measured"].items()
    }
    outputs = {name: _line(record) for name, record in records["outputs"].items()}
    parts = (f' "{part}": {_block(entries)}' for part, entries in (("measured", measured), ("outputs", outputs)))
    replace_text(path, "{\n" + ",\n".join(parts) + "\n}\n")


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _block(entries: dict[str, str]) -> str:
    lines = [f"  {_line(name)}: {text}" for name, text in sorted(entries.items())]
    return "{\n" + ",\n".join(lines) + "\n }" if lines else "{}"
