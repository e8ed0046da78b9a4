"""Checks of the rendered pages that need no browser, each fault as one sentence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

REMOTE = re.compile(r"^\s*(?:https?:)?//", re.IGNORECASE)
REMOTE_IN_CSS = re.compile(r"""(?:@import\s+(?:url\()?|url\()\s*["']?\s*((?:https?:)?//[^"')\s;]+)""", re.IGNORECASE)
LOOKS_LIKE_PATH = re.compile(r"[/\\]|\.(?:png|jpe?g|gif|svg|webp)$", re.IGNORECASE)
LOADED = {
    "script": ("src",), "link": ("href",), "img": ("src", "srcset"), "iframe": ("src",), "source": ("src", "srcset"),
    "video": ("src", "poster"), "audio": ("src",), "embed": ("src",), "object": ("data",), "track": ("src",),
}  # fmt: skip
NOT_LOADED = {"canonical", "next", "prev", "author", "license", "index", "search"}
DOUBLED_BY_THE_THEME = {"search-input"}  # in the search page and in the dialogue over it
COLAB = "https://colab.research.google.com/github/"


@lru_cache(maxsize=256)
def parse(page: Path) -> BeautifulSoup:
    """The parsed page."""
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def problems(page: Path, site: Path) -> list[str]:
    """What is wrong with one page: things loaded from a network, dead links, pictures without text, doubled ids."""
    soup = parse(page)
    found = [*_remote(soup), *_dead_links(page, site), *_pictures(soup), *_figures(soup)]
    counts = Counter(str(element["id"]) for element in soup.find_all(id=True))
    doubled = [name for name, count in counts.items() if count > 1 and name not in DOUBLED_BY_THE_THEME]
    return found + [f"id '{name}' is used {counts[name]} times" for name in doubled]


def _remote(soup: BeautifulSoup) -> Iterator[str]:
    for tag, attributes in LOADED.items():
        for element in soup.find_all(tag):
            if tag == "link" and NOT_LOADED & set(element.get("rel") or []):
                continue
            for attribute in attributes:
                if REMOTE.match(str(element.get(attribute, ""))):
                    yield f"<{tag}> loads {element[attribute]}"
    styles = [element.get_text() for element in soup.find_all("style")]
    styles += [str(element["style"]) for element in soup.find_all(style=True)]
    for style in styles:
        yield from (f"style loads {url}" for url in REMOTE_IN_CSS.findall(style))


def stylesheet_problems(sheet: Path) -> list[str]:
    """Addresses that a style sheet would load from a network."""
    return [f"loads {url}" for url in REMOTE_IN_CSS.findall(sheet.read_text(encoding="utf-8"))]


def _dead_links(page: Path, site: Path) -> Iterator[str]:
    for element in parse(page).find_all(["a", "link", "img", "script"]):
        address = str(element.get("href") or element.get("src") or "")
        parts = urlsplit(address)
        if parts.scheme or parts.netloc or not (parts.path or parts.fragment):
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if not target.exists():
            yield f"link to {address}, which does not exist"
        elif site.resolve() not in target.resolve().parents:
            yield f"link to {address}, which is outside the site"
        elif parts.fragment and target.suffix == ".html" and not _has_anchor(target, unquote(parts.fragment)):
            yield f"link to {address}, which has no such anchor"


def _has_anchor(page: Path, name: str) -> bool:
    return parse(page).find(id=name) is not None or parse(page).find("a", attrs={"name": name}) is not None


def _pictures(soup: BeautifulSoup) -> Iterator[str]:
    for image in soup.find_all("img"):
        text = str(image.get("alt") or "").strip()
        if not text or LOOKS_LIKE_PATH.search(text):
            yield f"picture {str(image.get('src'))[:60]} has the alternative text '{text}'"


def _figures(soup: BeautifulSoup) -> Iterator[str]:
    for figure in soup.find_all("figure", class_="facelab-figure"):
        plot = figure.find(class_="facelab-plot")
        if plot is None or not str(plot.get("aria-label") or "").strip():
            yield f"figure {figure.get('id')} has no text for its plot"
        if figure.find("img", class_="facelab-poster") is None:
            yield f"figure {figure.get('id')} has no still picture"


def launch_paths(page: Path) -> list[str]:
    """Paths inside the repository that the page's Colab buttons open."""
    links = [str(element.get("href") or "") for element in parse(page).find_all("a")]
    return ["/".join(link.removeprefix(COLAB).split("/")[4:]) for link in links if link.startswith(COLAB)]
