"""Command line of the book build; the Makefile is its usual caller."""

from __future__ import annotations

import functools
import http.server
import shutil
import sys
from pathlib import Path
from typing import Any

import click
import yaml

from tools.book import handout, records, site
from tools.book import sources as index
from tools.book.address import address, with_setup, write_repeated
from tools.book.layout import BUILD, ROOT, BookError, check_profile, notebooks, select, short_name
from tools.book.notebooks import canonical, injected, overrides, read, with_outputs, write
from tools.book.offline import NAME, pack
from tools.book.reproduce import FIRST, reproduce
from tools.book.runner import Run, duration, left_behind, run_all, run_file
from tools.book.trace import of_page, of_run


@click.group()
def main() -> None:
    """Run, render and serve the book."""


def _values(parameters: str) -> dict[str, Any]:
    values = {}
    for assignment in parameters.split():
        name, equals, text = assignment.partition("=")
        if not equals:
            raise BookError(f"PARAMETERS: expected name=value, not '{assignment}'")
        values[name] = yaml.safe_load(text)
    return values


def _run(profile: str, only: str, parameters: str, jobs: int = 1) -> list[Path]:
    chosen = select(only)
    _refuse_failures(run_all(chosen, check_profile(profile), _values(parameters), jobs=jobs))
    return chosen


def _refuse_failures(runs: list[Run]) -> None:
    failed = [short_name(run.page) for run in runs if run.problem]
    if failed:
        raise BookError(f"{len(failed)} of {len(runs)} notebooks failed: {', '.join(failed)}")


@main.command()
@click.option("--profile", default="quick")
@click.option("--only", default="", help="Folders or pages, as in papers/fan.")
@click.option("--parameters", default="", help="name=value, several separated by blanks.")
@click.option("--jobs", default=1, type=click.IntRange(min=1), help="Notebooks that run at the same time.")
def book(profile: str, only: str, parameters: str, jobs: int) -> None:
    """Run the notebooks under a profile, then render the book with their outputs."""
    _run(profile, only, parameters, jobs)
    print(f"Open {site.build(profile, site.of_profile(profile)).as_uri()}")


@main.command()
def html() -> None:
    """Render the outputs that lie in the repository. Nothing is run."""
    print(f"Open {site.build(site.COMMITTED, site.committed).as_uri()}")


@main.command()
@click.option("--only", default="")
def reference(only: str) -> None:
    """Run the notebooks under the cpu profile, and write their outputs back into book/."""
    for page in _run("cpu", only, ""):
        merged = with_outputs(read(ROOT / page), read(run_file(page, "cpu")), short_name(page))
        write(canonical(merged), ROOT / page)
        records.note_outputs(short_name(page), of_run(page, read(ROOT / page)))
        records.note_cost(short_name(page), "cpu", left_behind(page, "cpu"))
        print(f"wrote {page}")


@main.command()
@click.option("--profile", default="quick")
@click.option("--only", default="")
@click.option("--again", is_flag=True, help="Run also what is fresh, as when a run had to share its cores.")
def measure(profile: str, only: str, again: bool) -> None:
    """Keep seconds and memory of a run of each notebook in data/results/notebooks.json, for the pages to show."""
    total = 0.0

    def keep(run: Run) -> None:
        nonlocal total
        left = left_behind(run.page, profile)
        records.note_cost(short_name(run.page), profile, left)
        total += left["seconds"]

    runs = run_all(select(only), check_profile(profile), {}, afresh=again, after=keep)
    print(f"measured {sum(not run.problem for run in runs)} of {len(runs)} notebooks, together {duration(total)}")
    _refuse_failures(runs)


@main.command()
@click.option("--only", default="")
def trace(only: str) -> None:
    """Find the run or the commit that outputs come from, where data/results/notebooks.json has not those of book/."""
    kept, unknown = records.read()["outputs"], []
    for page in select(only):
        notebook, name = read(ROOT / page), short_name(page)
        if kept.get(name, {}).get("digest") == records.digest(notebook):
            continue
        try:
            record = of_page(page, notebook)
        except BookError as error:
            unknown.append(str(error))
            continue
        records.note_outputs(name, record)
        print(f"{name}: {record['source']}, {record['time']}, commit {record['commit'][:7]}")
    if unknown:
        raise BookError("\n".join(unknown))


@main.command("reproduce")
@click.option("--profile", default="cpu")
@click.option("--only", default="")
@click.option("--against", type=Path, help="Folder of a first run; by default the committed outputs for cpu.")
def reproduce_runs(profile: str, only: str, against: Path | None) -> None:
    """Run the notebooks again, and fail where one shows something else than before."""
    chosen = select(only)
    differing = reproduce(chosen, check_profile(profile), against)
    if differing:
        raise BookError(f"{len(differing)} of {len(chosen)} notebooks differ: {', '.join(differing)}")
    print(f"{len(chosen)} notebooks show what they showed before")


@main.command()
def tidy() -> None:
    """Put every notebook in book/ into canonical form, and the repository's address wherever it is repeated."""
    for path in write_repeated():
        print(f"wrote {path.relative_to(ROOT)}")
    where = address()
    for page in notebooks():
        write(canonical(with_setup(read(ROOT / page), where)), ROOT / page)


@main.command("nbval")
def nbval_copies() -> None:
    """Copy the notebooks, with the smoke profile injected and the outputs kept, to _build/nbval."""
    target = BUILD / "nbval"
    for old in (target, FIRST / "nbval"):  # what nbval showed of other copies must not be compared with these
        if old.exists():
            shutil.rmtree(old)
    for page in notebooks():
        notebook = read(ROOT / page)
        values = overrides(notebook, {"profile": "smoke"}, short_name(page))
        write(injected(notebook, values), target / page)


@main.command()
def cover() -> None:
    """Draw the moving picture of the first page anew."""
    from tools.book.cover import write_cover  # torch and all else are slow to import

    for path in write_cover():
        print(f"wrote {path.relative_to(ROOT)}, {path.stat().st_size / 1000:.0f} kB")


@main.command()
def sources() -> None:
    """Make the index from papers to code to tests anew, from the docstrings."""
    index.PAGE.write_text(index.page(), encoding="utf-8")
    print(f"wrote {index.PAGE.relative_to(ROOT)}")


@main.command()
def offline() -> None:
    """Render the committed outputs, and pack pages, notebooks and package into one zip file."""
    pages = site.build(site.COMMITTED, site.committed).parent
    packed = pack(pages, BUILD / "offline" / f"{NAME}.zip")
    print(f"wrote {packed.relative_to(ROOT)}, {packed.stat().st_size / 2**20:.0f} MB")


@main.command("handout")
def make_handout() -> None:
    """Pack notebooks and pages without the solutions of the exercises, into _build/handout."""
    packed = handout.pack(handout.FOLDER / handout.ARCHIVE)
    handout.place(site.build("handout", handout.stripped).parent)
    print(f"wrote {packed.relative_to(ROOT)} and {handout.FOLDER.relative_to(ROOT)}/site")


@main.command()
@click.option("--port", default=8000)
def serve(port: int) -> None:
    """Serve the site that was built last, on this machine only."""
    folder = site.newest()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        print(f"Serving {folder.relative_to(ROOT)} at http://127.0.0.1:{port} (Ctrl-C ends)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    try:
        main()
    except BookError as error:
        sys.exit(f"error: {error}")
