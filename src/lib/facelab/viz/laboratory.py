"""One result under many rules: switches in the page, every number computed beforehand."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facelab.viz.figure import SHORTEST_ALT, KernelFree, embedded, framed, still_png
from facelab.viz.style import ACCENT, BASELINE, PREDICTION, style

PARTS = ("value", "low", "high", "noise")


@dataclass(frozen=True)
class Switch:
    """One rule that the reader may change: its name, its options, and which one is set at first.

    Raises:
        ValueError: if there are fewer than two options, or no option has the number ``start``.
    """

    name: str
    options: tuple[str, ...]
    start: int = 0

    def __post_init__(self) -> None:
        if len(self.options) < 2 or not 0 <= self.start < len(self.options):
            raise ValueError(f"switch '{self.name}': expected two options or more and a start among them")


class Laboratory(KernelFree):
    """Switches over a table of numbers; shows itself as HTML that needs no kernel, as a PNG, and as a sentence.

    The last switch chooses what is measured. All others are rules of the measurement.

    Args:
        switches: in the order of the axes of ``numbers``; the last chooses the measure.
        numbers: ``(*options of each switch, 4)`` in percent: the value, the ends of its interval, and what the labels
            alone give under the same rules (NaN where nothing is known).
        noise: what the last of the four is, in a few words.
        alt: what is to be seen, in at least 20 characters. caption: a line under the figure.
        best_at_100: measures that are best at 100 and not at 0, by name.
    Raises:
        ValueError: on numbers of another shape, a value that is not finite, or a missing text.
    """

    def __init__(
        self,
        switches: Sequence[Switch],
        numbers: NDArray[Any],
        noise: str,
        alt: str,
        caption: str | None = None,
        best_at_100: Sequence[str] = (),
    ) -> None:
        expected = (*(len(switch.options) for switch in switches), len(PARTS))
        if numbers.shape != expected:
            raise ValueError(f"numbers: expected shape {expected}, got {numbers.shape}")
        if not np.isfinite(numbers[..., 0]).all():
            raise ValueError("numbers: expected a finite value under every rule")
        if len(alt.strip()) < SHORTEST_ALT:
            raise ValueError(f"alt must say what the figure shows, in at least {SHORTEST_ALT} characters, not {alt!r}")
        unknown = set(best_at_100) - set(switches[-1].options)
        if unknown:
            raise ValueError(f"best_at_100: {', '.join(sorted(unknown))} not among the measures")
        self.switches, self.numbers = tuple(switches), np.asarray(numbers, np.float32)
        self.noise, self.alt, self.caption = noise, " ".join(alt.split()), caption
        self.best_at_100 = tuple(best_at_100)
        self.png = still_png(self._poster())

    def html(self) -> str:
        """The switches, the scale, the data and the code as one piece of HTML."""
        rows = "".join(self._select(index, switch) for index, switch in enumerate(self.switches))
        body = (
            f'<form class="laboratory-switches">{rows}<button type="reset">Start again</button></form>\n'
            '<output class="laboratory-number" aria-live="polite"></output>\n'
            '<svg class="laboratory-scale" aria-hidden="true"></svg>\n'
            '<ol class="laboratory-trail" aria-label="what was tried, latest first"></ol>'
        )
        return framed(self, "laboratory", "laboratory", embedded(self._data()), body, self.caption)

    def _data(self) -> dict[str, Any]:
        packed = base64.b64encode(self.numbers.astype("<f4").tobytes()).decode()
        return {
            "switches": [{"name": switch.name, "options": switch.options} for switch in self.switches],
            "numbers": packed,
            "noise": self.noise,
            "best_at_100": self.best_at_100,
        }

    def _select(self, index: int, switch: Switch) -> str:
        options = "".join(
            f'<option value="{number}"{" selected" if number == switch.start else ""}>{escape(option)}</option>'
            for number, option in enumerate(switch.options)
        )
        return f'<label><span>{escape(switch.name)}</span><select data-switch="{index}">{options}</select></label>'

    def _start(self) -> tuple[int, ...]:
        return tuple(switch.start for switch in self.switches)

    def _poster(self) -> Figure:
        """The number that is shown first, and what it becomes when one rule alone is changed."""
        rows = self.alone()
        values = np.array([row for _, _, row in rows])
        with style():
            figure, ax = plt.subplots(figsize=(6.6, 0.24 * len(rows) + 0.9), dpi=90)
            places = -np.arange(len(rows), dtype=float)
            start = self.numbers[self._start()]
            ax.axvline(start[0], color=BASELINE, linewidth=1)
            ax.errorbar(
                values[:, 0], places, xerr=np.abs(values[:, :1] - values[:, 1:3]).T, fmt="o", markersize=4,
                color=PREDICTION,
            )  # fmt: skip
            ax.plot(values[:, 3], places, "|", color=ACCENT, markersize=9, markeredgewidth=2, label=self.noise)
            ax.set_yticks(places, [f"{name}: {option}" for name, option, _ in rows], fontsize=7)
            ax.set_xlabel(f"{self.switches[-1].options[self.switches[-1].start]} (%)")
            ax.set_xlim(left=0)
            ax.legend(loc="lower right", fontsize=7)
            figure.tight_layout()
        return figure

    def alone(self) -> list[tuple[str, str, NDArray[Any]]]:
        """Name of a switch, option, and the four numbers with this option and everything else as at first.

        Options that change nothing are left out, and switches without any other.
        """
        start, rows = self._start(), []
        for axis, switch in enumerate(self.switches[:-1]):
            places = [(*start[:axis], number, *start[axis + 1 :]) for number in range(len(switch.options))]
            kept = [
                (switch.name, option, self.numbers[place])
                for option, place in zip(switch.options, places, strict=True)
                if place == start or not np.array_equal(self.numbers[place], self.numbers[start], equal_nan=True)
            ]
            rows += kept if len(kept) > 1 else []
        return rows
