"""Runs notebooks with papermill, and knows which runs are still fresh."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from tools.book.layout import ROOT, RUNS, TIME_LIMITS, BookError, replace_text, short_name
from tools.book.measuring import Cost, metered
from tools.book.notebooks import canonical, code_cells, overrides, read, tags, write
from tools.book.records import circumstances, rounded

ANSI = re.compile(r"\x1b\[[0-9;]*m")
# What notebooks write themselves; reading it would make every run stale at its own end.
WRITTEN_BY_RUNS = ROOT / "data" / "results"


Plan = tuple[Path, str, dict[str, Any], str, str]
"""What `run_one` is given: page, profile, injected parameters, key, label."""


@dataclass(frozen=True)
class Run:
    """How one notebook went. `problem` is empty if it went well."""

    page: Path
    cost: Cost = field(default_factory=Cost)
    fresh: bool = False
    problem: str = ""


def inputs(root: Path = ROOT) -> list[Path]:
    """Files that a run depends on besides its notebook: library, pinned packages, data."""
    found = [root / "requirements.txt"]
    for folder in (root / "src" / "lib", root / "data"):
        for path in sorted(folder.rglob("*")):
            hidden = "__pycache__" in path.parts or any(part.endswith(".egg-info") for part in path.parts)
            if path.is_file() and not hidden and WRITTEN_BY_RUNS not in path.parents:
                found.append(path)
    return found


def digest(files: Iterable[Path], root: Path = ROOT) -> str:
    """One hash over names and contents."""
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.relative_to(root).as_posix()}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def run_key(notebook: NotebookNode, values: dict[str, Any], inputs_digest: str) -> str:
    """Hash of all that decides the outputs of a run. Prose is not part of it: a corrected word costs no training."""
    cells = [[cell.source, tags(cell)] for cell in code_cells(notebook)]
    parts = [cells, values, inputs_digest, list(sys.version_info[:2])]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def run_file(page: Path, profile: str) -> Path:
    """Where the executed notebook of a page lies."""
    return RUNS / profile / page.relative_to("book")


def left_behind(page: Path, profile: str) -> dict[str, Any]:
    """What the last good run of a page left beside its notebook: key, time, commit, machine and cost."""
    stamp = run_file(page, profile).with_suffix(".json")
    try:
        return dict(json.loads(stamp.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        raise BookError(f"{short_name(page)}: no finished run under the profile {profile}") from None


def is_fresh(page: Path, profile: str, key: str) -> bool:
    """Whether a finished run with this key lies on disk."""
    stamp = run_file(page, profile).with_suffix(".json")
    if not (stamp.is_file() and run_file(page, profile).is_file()):
        return False
    try:
        return bool(json.loads(stamp.read_text(encoding="utf-8"))["key"] == key)
    except (json.JSONDecodeError, KeyError):
        return False


def run_all(
    chosen: list[Path],
    profile: str,
    extra: dict[str, Any],
    afresh: bool = False,
    after: Callable[[Run], None] = lambda run: None,
    jobs: int = 1,
) -> list[Run]:
    """Run each notebook that is not fresh, or all if `afresh`, and say how each one went.

    `after` is called with each run that went well, fresh ones included. One job takes the notebooks in order, and the
    next begins when `after` has returned; of several jobs each takes the next notebook when it is free.
    """
    values = {"profile": profile, **extra}
    injected = {page: overrides(read(ROOT / page), values, short_name(page)) for page in chosen}
    library = digest(inputs())
    width = max((len(short_name(page)) for page in chosen), default=0)
    together = f", {jobs} at a time" if jobs > 1 else ""
    where = f"{RUNS.relative_to(ROOT)}/{profile}/"
    print(f"Notebooks: {len(chosen)}, profile {profile}{together}, into {where}", flush=True)
    runs, plans = [], []
    for number, page in enumerate(chosen, 1):
        label = f"[{number}/{len(chosen)}] {short_name(page):<{width}}"
        key = run_key(read(ROOT / page), values, library)
        if not afresh and is_fresh(page, profile, key):
            runs.append(Run(page, fresh=True))
            print(f"{label}  fresh", flush=True)
            after(runs[-1])
        else:
            plans.append((page, profile, injected[page], key, label))
    for label, result in _in_order(plans) if jobs == 1 else _as_they_end(plans, jobs):
        runs.append(result)
        print(f"{label}  {'failed' if result.problem else 'ok'}  {duration(result.cost.seconds)}", flush=True)
        if result.problem:
            print(result.problem, flush=True)
        else:
            after(result)
    return sorted(runs, key=lambda run: chosen.index(run.page))


def _in_order(plans: list[Plan]) -> Iterator[tuple[str, Run]]:
    for plan in plans:
        yield plan[-1], run_one(*plan)


def _as_they_end(plans: list[Plan], jobs: int) -> Iterator[tuple[str, Run]]:
    # Processes, not threads: what a run costs is what the children of its process cost.
    with ProcessPoolExecutor(jobs) as pool:
        waiting = {pool.submit(run_one, *plan[:-1]): plan[-1] for plan in plans}
        for ended in as_completed(waiting):
            yield waiting[ended], ended.result()


def run_one(page: Path, profile: str, injected: dict[str, Any], key: str, label: str = "") -> Run:
    """Run one notebook under the time limit of its profile; keep the executed copy, failed or not.

    A bar shows how far it is, if there is a label for it.
    """
    target = run_file(page, profile)
    target.parent.mkdir(parents=True, exist_ok=True)
    stamp = target.with_suffix(".json")
    stamp.unlink(missing_ok=True)
    # A set backend would remove every inline picture without a word.
    os.environ.pop("MPLBACKEND", None)
    made = circumstances(page, ROOT)
    with metered() as cost:
        problem = _execute(ROOT / page, target, injected, time.monotonic() + TIME_LIMITS[profile], label)
    write(canonical(read(target)), target)
    if not problem:
        replace_text(stamp, json.dumps({"key": key, **made, **rounded(cost)}))
    return Run(page, cost, problem=problem)


def _execute(source: Path, target: Path, injected: dict[str, Any], deadline: float, label: str) -> str:
    """Execute, and return what went wrong, or an empty string."""
    bar = {"desc": label, "unit": "cell", "leave": False, "mininterval": 0.1 if sys.stderr.isatty() else 20}
    try:
        papermill.execute_notebook(
            str(source),
            str(target),
            parameters=injected,
            kernel_name="python3",
            progress_bar=bar if label else False,
            cwd=str(target.parent),
            extra_arguments=["--log-level=ERROR"],
            timeout_func=lambda cell: max(1, int(deadline - time.monotonic())),
        )
    except PapermillExecutionError as error:
        trace = ANSI.sub("", "\n".join(error.traceback)).splitlines()[-25:]
        return _report(f"{error.ename}: {error.evalue}", error.source, trace)
    except CellTimeoutError as error:
        return _report("the time limit of the profile is used up", str(error), [])
    except DeadKernelError as error:
        return _report("the kernel died (out of memory?)", str(error), [])
    return ""


def _report(what: str, source: str, trace: list[str]) -> str:
    lines = [f"  {what}", "  in the cell", *(f"    {line}" for line in source.splitlines())]
    return "\n".join(lines + [f"    | {line}" for line in trace])


def duration(seconds: float) -> str:
    """Seconds in words: `6 min 31 s`, or `8.4 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"
