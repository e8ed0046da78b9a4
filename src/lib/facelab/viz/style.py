"""One look for all figures: colours that survive colour blindness and grey print, line styles, matplotlib settings."""

from contextlib import AbstractContextManager
from typing import Any

import matplotlib.pyplot as plt
from cycler import cycler

# Okabe and Ito 2008: told apart with every common kind of colour blindness.
TRUTH = "#009E73"
PREDICTION = "#D55E00"
BASELINE = "#0072B2"
ACCENT = "#E69F00"
ON_SKIN = "#56B4E9"  # stands out on a photographed face
NEUTRAL = "#5A5A5A"
CYCLE = (PREDICTION, BASELINE, TRUTH, ACCENT, "#CC79A7", ON_SKIN)
LINES = ("solid", "dashed", "dashdot", "dotted")

SETTINGS: dict[Any, Any] = {
    "figure.dpi": 110,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "image.interpolation": "nearest",
    "axes.prop_cycle": cycler(color=CYCLE),
}


def style() -> AbstractContextManager[None]:
    """The look, for the length of a ``with`` block."""
    return plt.rc_context(SETTINGS)
