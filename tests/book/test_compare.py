"""Two runs of a notebook: each kind of difference is found, and the tolerances hold."""

from __future__ import annotations

import base64
import io
import json

import nbformat
import numpy as np
import pytest
from nbformat import NotebookNode
from PIL import Image

from tools.book.compare import CLOCK, IGNORED, LEVELS, SHARE, Difference, compare, verdict
from tools.book.layout import BookError


def ran(*outputs: NotebookNode, tags: tuple[str, ...] = (), source: str = "show()") -> NotebookNode:
    cell = nbformat.v4.new_code_cell(source, outputs=list(outputs), execution_count=1)
    cell.metadata.update({"tags": list(tags)} if tags else {})
    return nbformat.v4.new_notebook(cells=[cell])


def said(text: str) -> NotebookNode:
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def shown(**data: object) -> NotebookNode:
    return nbformat.v4.new_output("display_data", data={key.replace("_", "/"): value for key, value in data.items()})


def png(pixels: np.ndarray, level: int = 0) -> str:
    """A compression level changes the bytes and no pixel."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=level)
    return base64.b64encode(stream.getvalue()).decode()


def figure(numbers: object, caption: str = "a line", picture: str = "AAAA", name: str = "0123456789ab") -> str:
    return (
        f'<figure class="facelab-figure" id="figure-{name}"><img src="data:image/png;base64,{picture}">'
        f'<figcaption>{caption}</figcaption><script type="application/json">{json.dumps(numbers)}</script></figure>'
    )


def packed(*values: float) -> dict[str, str]:
    return {"dtype": "f8", "bdata": base64.b64encode(np.array(values).tobytes()).decode()}


GREY = np.full((100, 100, 3), 128, dtype=np.uint8)


def changed(pixels: int, by: int) -> np.ndarray:
    result = GREY.copy()
    result.reshape(-1, 3)[:pixels] += np.uint8(by)
    return result


def outcome(first: NotebookNode, second: NotebookNode, *tags: str) -> str:
    return verdict(compare(ran(first, tags=tags), ran(second, tags=tags)))


@pytest.mark.parametrize(
    ("first", "second", "plain", "ignored"),
    [
        ("error 2.31 %", "error 2.31 %", "identical", "identical"),
        ("took 3.2 s on cuda", "took 41 s on cpu", "identical", "identical"),
        ("error 2.31 %", "error 2.32 %", "differs", "within tolerance"),  # the last digit was rounded
        ("error 2.31 %", "error 2.34 %", "differs", "differs"),
        ("12,345 weights", "12,346 weights", "differs", "within tolerance"),
        ("3 faces", "4 faces", "differs", "differs"),  # a count is not rounded
        ("loss 1.000e-5", "loss 1.0001e-5", "differs", "within tolerance"),
        ("loss 1.000e-5", "loss 1.010e-5", "differs", "differs"),
        ("best: l2 9.99 ", "best: l2 10.00", "differs", "within tolerance"),
        ("best: l2", "best: l1", "differs", "differs"),
        ("best: wing", "best: wpdc", "differs", "differs"),
        ("one\ntwo", "one", "differs", "differs"),
    ],
)
def test_text(first: str, second: str, plain: str, ignored: str) -> None:
    assert outcome(said(first), said(second)) == plain
    assert outcome(said(first), said(second), IGNORED) == ignored
    assert outcome(shown(text_markdown=first), shown(text_markdown=second)) == plain


def test_numbers_from_a_clock_are_not_compared_and_words_are() -> None:
    tags = (IGNORED, CLOCK)
    assert outcome(said("A 3.1   B 12"), said("A 400.25 B 1"), *tags) == "identical"
    assert outcome(said("fast 3.1"), said("slow 3.1"), *tags) == "differs"
    assert outcome(shown(image_png=png(GREY)), shown(image_png=png(changed(9000, 90))), *tags) == "identical"
    assert outcome(shown(image_png=png(GREY)), said("none"), *tags) == "differs"


@pytest.mark.parametrize(
    ("pixels", "by", "expected"),
    [
        (0, 0, "identical"),
        (10_000, LEVELS, "within tolerance"),
        (int(SHARE * 10_000), 100, "within tolerance"),
        (int(SHARE * 10_000) + 1, 100, "differs"),
    ],
)
@pytest.mark.parametrize("tags", [(), (IGNORED,)])
def test_pictures_are_compared_by_their_pixels(pixels: int, by: int, expected: str, tags: tuple[str, ...]) -> None:
    other = png(changed(pixels, by))
    assert outcome(shown(image_png=png(GREY)), shown(image_png=other), *tags) == expected
    inside = shown(text_html=figure([1], picture=png(GREY))), shown(text_html=figure([1], picture=other))
    assert outcome(*inside, *tags) == expected


def test_other_bytes_of_the_same_picture_are_within_tolerance_and_another_size_is_not() -> None:
    assert outcome(shown(image_png=png(GREY)), shown(image_png=png(GREY, 9))) == "within tolerance"
    assert outcome(shown(image_png=png(GREY)), shown(image_png=png(GREY[:50]))) == "differs"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"y": [1.0, 2.0]}, {"y": [1.0, 2.0]}, "identical"),
        ({"y": [1.0, 2.0]}, {"y": [1.0, 2.0001]}, "within tolerance"),
        ({"y": [1.0, 2.0]}, {"y": [1.0, 2.001]}, "differs"),
        ({"y": [1.0, 2.0]}, {"y": [1.0, 2.0, 3.0]}, "differs"),
        ({"y": [1.0, None]}, {"y": [1.0, 2.0]}, "differs"),
        ({"y": packed(1.0, 2.0)}, {"y": packed(1.0, 2.0001)}, "within tolerance"),
        ({"y": packed(1.0, 2.0)}, {"y": packed(1.0, 2.1)}, "differs"),
        ({"y": packed(1.0, float("nan"))}, {"y": packed(1.0, 2.0)}, "differs"),
        ({"name": "L2"}, {"name": "L1"}, "differs"),
        ({"name": "L2"}, {"title": "L2"}, "differs"),
        ({"on": True}, {"on": False}, "differs"),
    ],
)
def test_data_of_figures_are_compared_by_their_numbers(first: object, second: object, expected: str) -> None:
    pair = shown(text_html=figure(first)), shown(text_html=figure(second, name="ba9876543210"))
    assert outcome(*pair) == expected
    assert outcome(*pair, IGNORED) == expected


def test_the_text_of_a_figure_is_compared() -> None:
    assert outcome(shown(text_html=figure([1], "a line")), shown(text_html=figure([1], "a curve"))) == "differs"


def test_missing_and_other_outputs_are_found() -> None:
    assert verdict(compare(ran(said("a")), ran())) == "differs"
    assert verdict(compare(ran(), ran(said("a")))) == "differs"
    assert outcome(said("a"), shown(text_plain="a")) == "differs"


def test_the_place_and_the_lines_are_told() -> None:
    first, second = ran(said("same\nold 1\n")), ran(said("same\nnew 1\n"))
    assert compare(first, second) == [Difference(0, False, "-old 1\n+new 1")]


def test_other_code_is_refused() -> None:
    with pytest.raises(BookError, match="different code"):
        compare(ran(source="a()"), ran(source="b()"))
