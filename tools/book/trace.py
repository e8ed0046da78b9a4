"""Finds out which run, or which commit, the outputs in book/ come from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from tools.book import records
from tools.book.layout import ROOT, TIME_LIMITS, BookError, short_name
from tools.book.notebooks import code_cells, parameters, read
from tools.book.records import Record, digest, git, outputs_of
from tools.book.rules import REFERENCE_PROFILE
from tools.book.runner import left_behind, run_file

PRINTED_DEVICE = re.compile(r"\bdevice (\w+(?::\d+)?)")


def of_run(page: Path, notebook: NotebookNode) -> Record:
    """The record of outputs that the last reference run of a page has just made.

    Raises BookError when that run showed something else.
    """
    executed = run_file(page, REFERENCE_PROFILE)
    if not executed.is_file() or digest(read(executed)) != digest(notebook):
        raise BookError(f"{short_name(page)}: the outputs are not those of the last run under {REFERENCE_PROFILE}")
    left = left_behind(page, REFERENCE_PROFILE)
    if "commit" not in left:
        raise BookError(f"{short_name(page)}: its last run left no commit; run it again")
    found = {key: left[key] for key in ("time", "commit", "seconds")}
    return {**_base(page, notebook), **found, "device": left["machine"]["device"], "source": "run"}


def of_history(page: Path, notebook: NotebookNode, root: Path = ROOT) -> Record:
    """The record of outputs that lie in git: the commit that brought them, and its date.

    The time is that of the run on this disk if it showed the same, else unknown.

    Raises BookError when the last commit of the page has other outputs.
    """
    wanted, found = digest(notebook), None
    for line in (git(root, "log", "--format=%H %cI", "--", page.as_posix()) or "").splitlines():
        commit, time = line.split()
        before = git(root, "show", f"{commit}:{page.as_posix()}")
        if before is None or digest(nbformat.reads(before, as_version=4)) != wanted:
            break
        found = {"commit": commit, "time": time}
    if found is None:
        raise BookError(f"{short_name(page)}: no commit and no run has its outputs; run 'make reference'")
    return {**_base(page, notebook), **found, "seconds": _seconds(page, wanted), "source": "history"}


def of_page(page: Path, notebook: NotebookNode) -> Record:
    """The record of a page: of the run on this disk if the outputs are its own, else of the commit."""
    try:
        return of_run(page, notebook)
    except BookError:
        return of_history(page, notebook)


def of_shown(page: Path, shown: NotebookNode) -> Record | None:
    """The record of outputs as a rendered page shows them, perhaps without those of some cells; None if unknown.

    They are those of book/, or those of the last run under some profile.
    """
    record, wanted = records.read()["outputs"].get(short_name(page)), set(outputs_of(shown))
    committed = read(ROOT / page)
    if record and record["digest"] == digest(committed) and wanted <= set(outputs_of(committed)):
        return dict(record)
    for profile in TIME_LIMITS:
        if run_file(page, profile).is_file() and wanted <= set(outputs_of(read(run_file(page, profile)))):
            return _of_profile(page, profile)
    return None


def _of_profile(page: Path, profile: str) -> Record | None:
    try:
        left = left_behind(page, profile)
        values = {**parameters(read(run_file(page, profile)), short_name(page)), "profile": profile}
        found = {key: left[key] for key in ("time", "commit", "seconds")}
        return {**found, **values, "device": left["machine"]["device"], "source": "run"}
    except (BookError, KeyError):
        return None


def _base(page: Path, notebook: NotebookNode) -> Record:
    values = parameters(notebook, short_name(page))
    known = {"digest": digest(notebook), "profile": values["profile"], "seed": values["seed"]}
    return {**known, "device": _printed_device(notebook)}


def _printed_device(notebook: NotebookNode) -> str:
    """What the page says of its device; a page that names none computes nothing on another than the processor."""
    for cell in code_cells(notebook):
        for output in cell.outputs:
            match = PRINTED_DEVICE.search(output.get("text", ""))
            if match:
                return match.group(1)
    return "cpu"


def _seconds(page: Path, wanted: str) -> Any:
    executed = run_file(page, REFERENCE_PROFILE)
    if executed.is_file() and digest(read(executed)) == wanted:
        try:
            return left_behind(page, REFERENCE_PROFILE).get("seconds")
        except BookError:
            return None
    return None
