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

from tools.book import site
from tools.book import sources as index
from tools.book.layout import BUILD, ROOT, BookError, check_profile, notebooks, select, short_name
from tools.book.notebooks import canonical, injected, overrides, read, with_outputs, write
from tools.book.offline import NAME, pack
from tools.book.runner import run_all, run_file


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


def _run(profile: str, only: str, parameters: str) -> list[Path]:
    chosen = select(only)
    runs = run_all(chosen, check_profile(profile), _values(parameters))
    failed = [short_name(run.page) for run in runs if run.problem]
    if failed:
        raise BookError(f"{len(failed)} of {len(runs)} notebooks failed: {', '.join(failed)}")
    return chosen


@main.command()
@click.option("--profile", default="quick")
@click.option("--only", default="", help="Folders or pages, as in papers/fan.")
@click.option("--parameters", default="", help="name=value, several separated by blanks.")
def book(profile: str, only: str, parameters: str) -> None:
    """Run the notebooks under a profile, then render the book with their outputs."""
    _run(profile, only, parameters)
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
        print(f"wrote {page}")


@main.command()
def tidy() -> None:
    """Put every notebook in book/ into canonical form: ids, metadata, streams."""
    for page in notebooks():
        write(canonical(read(ROOT / page)), ROOT / page)


@main.command("nbval")
def nbval_copies() -> None:
    """Copy the notebooks, with the smoke profile injected and the outputs kept, to _build/nbval."""
    target = BUILD / "nbval"
    if target.exists():
        shutil.rmtree(target)
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
