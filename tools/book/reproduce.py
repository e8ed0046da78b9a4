"""Runs notebooks again and says whether they showed the same."""

from __future__ import annotations

import shutil
from pathlib import Path

from tools.book.compare import Difference, compare, verdict
from tools.book.layout import BUILD, ROOT, BookError, short_name
from tools.book.notebooks import read
from tools.book.rules import REFERENCE_PROFILE
from tools.book.runner import Run, run_all, run_file

FIRST = BUILD / "first"
"""Where the first of two runs waits for the second."""


def reproduce(chosen: list[Path], profile: str, against: Path | None) -> list[str]:
    """Run notebooks afresh, compare each with what was recorded, print it, and return the names that differ.

    Recorded is what lies in the folder `against`, as `papers/fan/method.ipynb`; without it, the committed outputs for
    the profile they come from, and a first run for any other.

    Raises BookError when a notebook is missing there, or when runs fail.
    """
    differing: list[str] = []
    recorded = {page: _recorded(page, profile, against) for page in chosen}
    missing = [path for path in recorded.values() if path is not None and not path.is_file()]
    if missing:
        raise BookError(f"{missing[0]}: expected the notebook of a first run")
    first = [page for page, path in recorded.items() if path is None]
    failed = _failed(_first_runs(first, profile) if first else [])

    def check(run: Run) -> None:
        path = recorded[run.page] or FIRST / profile / run.page.relative_to("book")
        found = compare(read(path), read(run_file(run.page, profile)))
        _print(found)
        if verdict(found) == "differs":
            differing.append(short_name(run.page))

    failed += _failed(run_all([page for page in chosen if short_name(page) not in failed], profile, {}, True, check))
    if failed:
        raise BookError(f"{len(failed)} notebooks failed: {', '.join(failed)}")
    return differing


def _recorded(page: Path, profile: str, against: Path | None) -> Path | None:
    if against is not None:
        return against / page.relative_to("book")
    return ROOT / page if profile == REFERENCE_PROFILE else None


def _first_runs(chosen: list[Path], profile: str) -> list[Run]:
    def keep(run: Run) -> None:
        target = FIRST / profile / run.page.relative_to("book")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run_file(run.page, profile), target)

    return run_all(chosen, profile, {}, after=keep)


def _failed(runs: list[Run]) -> list[str]:
    return [short_name(run.page) for run in runs if run.problem]


def _print(found: list[Difference]) -> None:
    """The verdict, and the first difference that is not allowed, or else the first."""
    print(f"    {verdict(found)}", flush=True)
    worst = sorted(found, key=lambda difference: difference.allowed)[:1]
    for difference in worst:
        print(f"    code cell {difference.cell}, {len(found)} outputs in all:", flush=True)
        for line in difference.text.splitlines():
            print(f"      {line}", flush=True)
