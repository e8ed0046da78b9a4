"""Where things are, and which pages the book has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
BUILD = ROOT / "_build"
RUNS = BUILD / "runs"
SITES = BUILD / "site"

# Seconds that one notebook may take, all of its cells together.
TIME_LIMITS = {"smoke": 300, "quick": 900, "cpu": 1800, "gpu": 24 * 3600}


class BookError(Exception):
    """Something the person at the command line can put right; the message says what."""


def replace_text(path: Path, text: str) -> None:
    """Write a file in one step: readers see the old one or the new one."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def check_profile(profile: str) -> str:
    """Return `profile`, or raise BookError with the names there are."""
    if profile not in TIME_LIMITS:
        raise BookError(f"PROFILE is '{profile}'; expected one of {', '.join(TIME_LIMITS)}")
    return profile


def _files(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _files(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("file", "root"):
                yield value
            elif isinstance(value, list):
                yield from _files(value)


def pages(root: Path = ROOT) -> list[Path]:
    """Source files of the book's pages, relative to `root`, in the order of `_toc.yml`.

    Raises BookError for an entry that has no `.md` or `.ipynb` file.
    """
    found = []
    for name in _files(yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))):
        sources = [Path(name + suffix) for suffix in (".ipynb", ".md") if (root / (name + suffix)).is_file()]
        if len(sources) != 1:
            raise BookError(f"_toc.yml: '{name}' must be one file, {name}.md or {name}.ipynb; found {len(sources)}")
        found.append(sources[0])
    return found


def notebooks(root: Path = ROOT) -> list[Path]:
    """The pages that are notebooks."""
    return [page for page in pages(root) if page.suffix == ".ipynb"]


def short_name(page: Path) -> str:
    """`book/papers/fan/method.ipynb` -> `papers/fan/method`."""
    return page.relative_to("book").with_suffix("").as_posix()


def select(only: str, root: Path = ROOT) -> list[Path]:
    """The notebooks that `ONLY` names: a folder, or a page. Several are separated by blanks; empty means all.

    Raises BookError with the list of choices when a name matches nothing.
    """
    everything = notebooks(root)
    chosen: set[Path] = set()
    for wanted in only.split():
        prefix = wanted.removeprefix("book/").removesuffix(".ipynb").rstrip("/")
        matches = {page for page in everything if f"{short_name(page)}/".startswith(f"{prefix}/")}
        if not matches:
            choices = "\n".join(f"  {short_name(page)}" for page in everything)
            raise BookError(f"ONLY is '{wanted}', which matches no notebook. The choices are\n{choices}")
        chosen |= matches
    return [page for page in everything if page in chosen] if only.split() else everything
