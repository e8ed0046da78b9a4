"""Two runs of one notebook, output by output: identical, within tolerance, or different.

A cell without the tag `nbval-ignore-output` has the same text in both runs, once times, addresses and the like are
masked by `tests/book/sanitize.cfg`. Where the tag is, numbers in text may differ by `TEXT`. The tag `measures-time`
says that the numbers of a cell come from a clock: only kinds of outputs and words are compared, no number and no
picture.

Pictures are compared by their pixels and the data of figures by their numbers, with or without a tag: they are drawn
by libraries that may round in another order.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from nbformat import NotebookNode
from nbval.plugin import get_sanitize_patterns
from PIL import Image

from tools.book.layout import ROOT, BookError
from tools.book.notebooks import canonical, code_cells, tags

MASKS = ROOT / "tests" / "book" / "sanitize.cfg"
IGNORED, CLOCK = "nbval-ignore-output", "measures-time"
TEXT = 1e-3
"""Relative difference of numbers in the text of cells that nbval does not compare. Where a number has decimals, its
last digit may differ by one, too: it was rounded."""
FIGURE = 1e-4
"""Difference of numbers in the data of a figure, relative to the larger one, or to the largest of their array."""
LEVELS, SHARE = 8, 0.001
"""A picture may differ by more than so many of 255 levels in this share of its pixels."""
NUMBER = re.compile(r"(?<![\w.])[-+−]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?")
PIECE = re.compile(
    r'<script type="application/json">(?P<data>.*?)</script>'
    r"|(?P<picture>data:image/(?:png|jpeg);base64,[A-Za-z0-9+/=]+)",
    re.DOTALL,
)
SHOWN_LINES = 6


@dataclass(frozen=True)
class Difference:
    """Of one output. `cell` counts code cells from 0; `allowed` says whether it is within the tolerance."""

    cell: int
    allowed: bool
    text: str


@dataclass(frozen=True)
class _Rule:
    """How closely the outputs of a cell must agree."""

    text: float | None  # relative difference of numbers in text; None: none
    clock: bool = False


def verdict(differences: list[Difference]) -> str:
    """`identical`, `within tolerance` or `differs`."""
    if not differences:
        return "identical"
    return "within tolerance" if all(difference.allowed for difference in differences) else "differs"


def compare(recorded: NotebookNode, again: NotebookNode) -> list[Difference]:
    """What differs between the outputs of two runs of the same code, in order.

    Raises BookError when the code is not the same.
    """
    ours, theirs = code_cells(canonical(recorded)), code_cells(canonical(again))
    if [cell.source for cell in ours] != [cell.source for cell in theirs]:
        raise BookError("the two runs are of different code; run the notebook again")
    found = []
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        for allowed, text in _outputs(one.outputs, other.outputs, _rule(one)):
            found.append(Difference(number, allowed, text))
    return found


def _rule(cell: NotebookNode) -> _Rule:
    if CLOCK in tags(cell):
        return _Rule(text=0.0, clock=True)
    return _Rule(text=TEXT if IGNORED in tags(cell) else None)


def _outputs(ours: list[NotebookNode], theirs: list[NotebookNode], rule: _Rule) -> Iterator[tuple[bool, str]]:
    one, other = [_kind(output) for output in ours], [_kind(output) for output in theirs]
    if one != other:
        yield False, f"outputs are {', '.join(other) or 'none'}; expected {', '.join(one) or 'none'}"
        return
    for left, right in zip(ours, theirs, strict=True):
        if left.output_type == "stream":
            yield from _text(left.text, right.text, rule)
            continue
        for mime in left.get("data", {}):
            yield from _data(mime, left.data[mime], right.data[mime], rule)


def _kind(output: NotebookNode) -> str:
    if output.output_type == "stream":
        return str(output.name)
    return "+".join([output.output_type, *sorted(output.get("data", {}))])


def _data(mime: str, ours: Any, theirs: Any, rule: _Rule) -> Iterator[tuple[bool, str]]:
    if mime in ("image/png", "image/jpeg"):
        yield from _picture(ours, theirs, rule)
    elif mime == "text/html":
        yield from _html(ours, theirs, rule)
    elif isinstance(ours, str):
        yield from _text(ours, theirs, rule)
    else:
        yield from _json(ours, theirs, rule, mime)


def _html(ours: str, theirs: str, rule: _Rule) -> Iterator[tuple[bool, str]]:
    """The text around pictures and data, then each of those."""
    yield from _text(PIECE.sub("PIECE", ours), PIECE.sub("PIECE", theirs), rule)
    for left, right in zip(PIECE.finditer(ours), PIECE.finditer(theirs), strict=False):
        if left.lastgroup != right.lastgroup:
            yield False, f"{right.lastgroup} where {left.lastgroup} was"
        elif left["picture"]:
            yield from _picture(left["picture"], right["picture"], rule)
        else:
            yield from _json(json.loads(left["data"]), json.loads(right["data"]), rule, "data")


def _text(ours: str, theirs: str, rule: _Rule) -> Iterator[tuple[bool, str]]:
    one, other = masked(ours), masked(theirs)
    if one == other:
        return
    close = rule.text is not None and _words(one) == _words(other)
    if close and rule.text is not None and not rule.clock:
        pairs = zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
        close = all(_close(left, right, rule.text) for left, right in pairs)
    if not (close and rule.clock):
        yield close, _diff(one, other)


def _words(text: str) -> list[str]:
    """What stands between the numbers; columns may be wider or narrower."""
    return [" ".join(part.split()) for part in NUMBER.split(text)]


def _close(left: str, right: str, tolerance: float) -> bool:
    one, other = _number(left), _number(right)
    decimals = min(len(text.partition(".")[2]) if "e" not in text.lower() else 0 for text in (left, right))
    last = 1.01 * 10.0**-decimals if decimals else 0.0  # 0.3 - 0.2 is a little more than 0.1
    return abs(one - other) <= max(last, tolerance * max(abs(one), abs(other)))


def _number(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))


def _diff(ours: str, theirs: str) -> str:
    lines = difflib.unified_diff(ours.splitlines(), theirs.splitlines(), "recorded", "again", lineterm="", n=0)
    changed = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    return "\n".join([*(line[:200] for line in changed[:SHOWN_LINES]), *["..."] * (len(changed) > SHOWN_LINES)])


@cache
def _masks() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern), text) for pattern, text in get_sanitize_patterns(MASKS.read_text("utf-8"))]


def masked(text: str) -> str:
    """The text with what may differ between machines put out of sight, as nbval does it."""
    for pattern, replacement in _masks():
        text = pattern.sub(replacement, text)
    return text


def _picture(ours: str, theirs: str, rule: _Rule) -> Iterator[tuple[bool, str]]:
    if ours == theirs or rule.clock:
        return
    one, other = _pixels(ours), _pixels(theirs)
    if one.shape != other.shape:
        yield False, f"picture of {other.shape[1]} x {other.shape[0]}; expected {one.shape[1]} x {one.shape[0]}"
        return
    apart = np.abs(one - other).max(axis=2) > LEVELS
    yield bool(apart.mean() <= SHARE), f"picture: {apart.mean():.2%} of the pixels by more than {LEVELS} of 255"


def _pixels(encoded: str) -> np.ndarray:
    content = base64.b64decode(encoded.rsplit("base64,", 1)[-1])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"), dtype=np.int16)


def _json(ours: Any, theirs: Any, rule: _Rule, place: str) -> Iterator[tuple[bool, str]]:
    """Differences of nested data; the first of a list speaks for all."""
    if ours == theirs:
        return
    one, other = _array(ours), _array(theirs)
    if one is not None and other is not None:
        yield from _arrays(one, other, rule, place)
    elif isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys():
        for key in ours:
            yield from _json(ours[key], theirs[key], rule, f"{place}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (left, right) in enumerate(zip(ours, theirs, strict=True)):
            yield from _json(left, right, rule, f"{place}[{number}]")
    elif isinstance(ours, str) and isinstance(theirs, str):
        both_pictures = ours.startswith("data:image/") and theirs.startswith("data:image/")
        found = _picture(ours, theirs, rule) if both_pictures else _text(ours, theirs, rule)
        yield from ((allowed, f"{place}: {text}") for allowed, text in found)
    elif not rule.clock:
        yield False, f"{place}: {_short(theirs)}; expected {_short(ours)}"


def _array(value: Any) -> np.ndarray | None:
    """Numbers as an array: one, a list, or what Plotly packs; None if they are none."""
    if isinstance(value, dict) and {"dtype", "bdata"} <= value.keys():
        try:
            return np.frombuffer(base64.b64decode(value["bdata"]), dtype=np.dtype(value["dtype"])).astype(float)
        except (binascii.Error, ValueError, TypeError):
            return None
    if isinstance(value, bool) or not isinstance(value, int | float | list):
        return None
    try:
        numbers = np.asarray(value)
    except ValueError:  # a ragged list
        return None
    return numbers.astype(float) if numbers.dtype.kind in "iuf" else None


def _arrays(ours: np.ndarray, theirs: np.ndarray, rule: _Rule, place: str) -> Iterator[tuple[bool, str]]:
    if rule.clock:
        return
    if ours.shape != theirs.shape:
        yield False, f"{place}: numbers of shape {theirs.shape}; expected {ours.shape}"
        return
    unknown = np.isnan(ours) | np.isnan(theirs)
    same_unknown = bool((np.isnan(ours) == np.isnan(theirs)).all())
    apart = np.abs(ours - theirs)[~unknown].max(initial=0.0)
    largest = max(np.abs(ours[~unknown]).max(initial=0.0), np.abs(theirs[~unknown]).max(initial=0.0))
    if apart or not same_unknown:
        yield (
            bool(same_unknown and apart <= FIGURE * largest),
            f"{place}: numbers up to {apart:.3g} of {largest:.3g} apart",
        )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 80 else text[:77] + "..."
