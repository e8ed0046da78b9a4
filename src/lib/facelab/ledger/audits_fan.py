"""The arithmetic of the paper of FAN (2017): sizes of the network, of its data sets, and the area rule of its code."""

from fractions import Fraction
from functools import partial

from facelab.ledger.audits_arithmetic import (
    Audit,
    Interval,
    audit_of,
    exactly,
    least_area,
    listed,
    number,
    one,
    printed,
    reaches,
)
from facelab.ledger.published import published
from facelab.models.counting import parameters

PAPER = "fan"
_audit = partial(audit_of, PAPER)
_STEPS, _USED = 999, 70  # the code takes errors 0, 1/999, ..., 69/999 as thresholds, and the mean of the curve there

_300W = {  # what its sets are made of
    "train": ("AFW", "LFPW train", "HELEN train"),
    "common": ("LFPW test", "HELEN test"),
    "challenging": ("IBUG",),
    "full": ("LFPW test", "HELEN test", "IBUG"),
}


def fan_audits() -> list[Audit]:
    """Audits of the numbers of the paper that are at hand."""
    return [
        _network_sizes(),
        _data_set(),
        _photographs(),
        _poses(),
        *_areas("300W", "split 2"),
        *_areas("COFW-68", "test"),
    ]


def _network_sizes() -> Audit:
    import torch

    from facelab.models import FAN

    cells = published(PAPER, "network-size")
    sizes = []
    for stacks in range(1, len(cells) + 1):
        with torch.device("meta"):
            sizes.append(parameters(FAN(stacks)))
    fits = [printed(cell).meets(exactly(size) * Fraction(1, 10**6)) for cell, size in zip(cells, sizes, strict=True)]
    return _audit(
        "network-sizes",
        "study of network size",
        "The sizes are those of 1, 2, 3 and 4 stacks of full width.",
        (listed(cells), ", ".join(f"{stacks}: {size / 1e6:.2f} M" for stacks, size in enumerate(sizes, 1))),
        all(fits),
        "The study of network size is a study of stacks: nothing else changes.",
    )


def _data_set() -> Audit:
    claimed = one(PAPER, "text", data_set="LS3D-W")
    cells = [
        cell
        for cell in published(PAPER, "data-sets")
        if (cell.data_set, cell.subset) == ("300VW-3D", "all")
        or cell.data_set in ("300W-Testset-3D", "Menpo-3D (stills)", "AFLW2000-3D-Reannotated")
    ]
    total = sum(int(number(cell)) for cell in cells)
    frames = next(number(cell) for cell in cells if cell.data_set == "300VW-3D")
    return _audit(
        "ls3d-w-size",
        "title",
        "The parts of LS3D-W sum to the number of the title, to the nearest thousand.",
        (f"about {claimed.value}", f"{listed(cells)}; sum {total}"),
        round(total, -3) == claimed.value,
        f"{float(frames / total):.0%} of the pictures are frames of 300-VW: neighbours, not independent faces.",
    )


def _photographs() -> Audit:
    cells = {cell.subset: cell for cell in published(PAPER, "data-sets", data_set="300W")}
    sums = {whole: sum(int(number(cells[part])) for part in parts) for whole, parts in _300W.items()}
    return _audit(
        "300w-parts",
        "data sets",
        "The sets that 300-W is made of sum to its training and test sets.",
        (
            listed([cell for name, cell in cells.items() if name != "private"]),
            ", ".join(f"{name} {total}" for name, total in sums.items()),
        ),
        all(number(cells[name]) == total for name, total in sums.items()),
        "300W-LP turns photographs of all these sets: who trains on it has seen photographs of the tests.",
    )


def _poses() -> Audit:
    cells = published(PAPER, "data-sets", data_set="AFLW2000-3D")
    sums: dict[str, int] = {}
    for cell in cells:
        sums[cell.method] = sums.get(cell.method, 0) + int(number(cell))
    faces = number(one(PAPER, "data-sets", data_set="AFLW2000-3D-Reannotated"))
    return _audit(
        "aflw2000-3d-bins",
        "data sets",
        "Both lists of yaw angles sort all faces of AFLW2000-3D into the three bins.",
        (f"{faces} faces; {listed(cells)}", ", ".join(f"{name}: {total}" for name, total in sums.items())),
        all(total == faces for total in sums.values()),
        "Both are whole, and differ: a mean of the bins belongs to the list that made them.",
    )


def _least_area_on_grid(error: Interval) -> Interval:
    """The least area that a mean error allows when the curve is read at the thresholds of the code.

    An error e counts at the thresholds k / 999 >= e, at most 999 e + 1 of the 70 are below it.
    """
    return exactly(1) - (error * _STEPS + exactly(1)) * Fraction(1, _USED)


def _areas(data_set: str, subset: str) -> list[Audit]:
    error, area = (
        one(PAPER, "second-hand", data_set=data_set, subset=subset, metric=metric) for metric in ("NME (%)", "AUC7 (%)")
    )
    stated = printed(area) * Fraction(1, 100)
    least = least_area(printed(error), 7)
    on_grid = _least_area_on_grid(printed(error) * Fraction(1, 100))
    text = listed([error, area])
    return [
        _audit(
            f"area-{data_set.lower()}-exact",
            f"list of results, {data_set}",
            "AUC at 7 % >= 1 - NME / 7 %, if the area is exact.",
            (text, f"at least {float(least.low):.2%}"),
            reaches(stated, least),
            "So small an area cannot be exact: another rule of taking it was at work.",
        ),
        _audit(
            f"area-{data_set.lower()}-grid",
            f"list of results, {data_set}",
            "The same bound, if the curve is read as FAN's code does: a thousandth apart, the last time below 7 %.",
            (text, f"at least {float(on_grid.low):.2%}"),
            reaches(stated, on_grid),
            f"The rule of the code takes up to {100 / _USED:.1f} points off an area: an AUC needs its rule beside it.",
        ),
    ]
