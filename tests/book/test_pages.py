"""The rendered pages, parsed: nothing remote, no dead link, a text for every picture."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tools.book.layout import ROOT, pages
from tools.book.pages import launch_paths, problems, stylesheet_problems

PAGES = [page.with_suffix(".html") for page in pages()]


@pytest.mark.parametrize("page", [*PAGES, Path("index.html"), Path("search.html"), Path("genindex.html")], ids=str)
def test_page_is_sound(site: Path, page: Path) -> None:
    assert problems(site / page, site) == []


def test_style_sheets_load_nothing_remote(site: Path) -> None:
    sheets = sorted(site.rglob("*.css"))
    assert sheets
    assert {sheet.name: found for sheet in sheets if (found := stylesheet_problems(sheet))} == {}


def test_vendored_scripts_are_there(site: Path) -> None:
    for name in ("plotly.min.js", "mathjax/tex-svg-full.js", "THIRD-PARTY.txt"):
        assert (site / "vendor" / name).stat().st_size > 0


@pytest.mark.parametrize("page", [page for page in pages() if page.suffix == ".ipynb"], ids=str)
def test_colab_button_opens_the_notebook_in_the_repository(site: Path, page: Path) -> None:
    assert set(launch_paths(site / page.with_suffix(".html"))) == {page.as_posix()}
    if shutil.which("git") and (ROOT / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", str(page)]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert listed.stdout.strip() == page.as_posix()


def test_no_widget_state_and_no_live_cells(site: Path) -> None:
    for page in PAGES:
        text = (site / page).read_text(encoding="utf-8")
        assert "application/vnd.jupyter.widget" not in text
        assert "THEBE_JS_URL" not in text


FIGURE = '<figure class="facelab-figure" id="f"><div class="facelab-plot" aria-label="A face"></div>{}</figure>'
FAULTS = {
    "script": ('<script src="https://cdn.example/x.js"></script>', "<script> loads https://cdn.example/x.js"),
    "script without scheme": (
        '<script src="//cdn.example/x.js"></script>',
        "<script> loads //cdn.example/x.js",
    ),
    "style sheet": ('<link rel="stylesheet" href="https://f.example/a.css">', "<link> loads"),
    "import": ("<style>@import 'https://f.example/a.css';</style>", "style loads https://f.example/a.css"),
    "font": ("<style>@font-face{src:url(https://f.example/a.woff)}</style>", "style loads"),
    "picture": ('<img src="https://i.example/a.png" alt="A face">', "<img> loads"),
    "page": ('<a href="missing.html">x</a>', "link to missing.html, which does not exist"),
    "anchor": ('<a href="#missing">x</a>', "link to #missing, which has no such anchor"),
    "outside": ('<a href="../outside.html">x</a>', "which is outside the site"),
    "no text": ('<img src="a.png">', "has the alternative text ''"),
    "path as text": (
        '<img src="a.png" alt="../_images/abc.png">',
        "has the alternative text '../_images/abc.png'",
    ),
    "figure": (FIGURE.format("").replace(' aria-label="A face"', ""), "has no text for its plot"),
    "poster": (FIGURE.format(""), "figure f has no still picture"),
    "ids": ('<p id="a"></p><p id="a"></p>', "id 'a' is used 2 times"),
}


@pytest.mark.parametrize(("body", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_found(tmp_path: Path, body: str, message: str) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "a.png").touch()
    (tmp_path / "outside.html").touch()
    (site / "page.html").write_text(f"<html><body>{body}</body></html>")
    assert any(message in problem for problem in problems(site / "page.html", site))


def test_a_sound_page_has_no_problems(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    poster = '<img class="facelab-poster" src="a.png" alt="A face seen from the side">'
    other = '<a href="https://example.org">out</a> <a href="#f">in</a>'
    (tmp_path / "page.html").write_text(FIGURE.format(poster) + other)
    assert problems(tmp_path / "page.html", tmp_path) == []
