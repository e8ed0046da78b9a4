"""Is a result bad, and why? Sentences from measurements that need no truth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from facelab.predict.predictor import PredictedFace
from facelab.predict.signals import Signals, distances, measure

SIGNS = ("the methods disagree", "FAN is unsure")
"""These say that a result is bad. All other doubts say why it might be."""


@dataclass(frozen=True)
class Rule:
    """When a signal makes a doubt.

    Attributes:
        badness: from the signals a number, the larger the worse; None where it is unknown.
        limit: beyond it there is a doubt. told: the sentence, from the signals.
        kinds: the spoilt photographs that show it, see :mod:`facelab.predict.spoilt`; empty for all.
    """

    badness: Callable[[Signals], float | None]
    limit: float
    told: Callable[[Signals], str]
    kinds: tuple[str, ...] = ()

    def holds(self, signals: Signals) -> bool:
        """Whether there is a doubt."""
        value = self.badness(signals)
        return value is not None and value > self.limit


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


APART = 0.07
"""A method is probably wrong that is farther than this from the median of the others. Found as the limits below."""

# The limits are those that facelab.predict.trial.best_limit finds with all five methods on 960 spoilt faces of seed 1,
# rounded. "turned away" is hardly worth a warning: of the faces with it one in ten was bad.
RULES: Mapping[str, Rule] = {
    "the methods disagree": Rule(
        lambda s: s.disagreement,
        0.075,
        lambda s: f"The methods are {100 * (s.disagreement or 0):.0f} % of the face apart, so most of them are wrong.",
    ),
    "FAN is unsure": Rule(
        lambda s: _negative(s.peak),
        -0.69,
        lambda s: f"FAN's heatmaps have a mean peak of {s.peak or 0:.2f}; where it is sure they have nearly 1.",
    ),
    "few pixels": Rule(
        lambda s: -s.side,
        -8.5,
        lambda s: f"The longer side of the box has {s.side:.0f} pixels: the eyes are a pixel or two.",
        ("small",),
    ),
    "blurred": Rule(
        lambda s: -s.sharpness,
        -0.0012,
        lambda s: f"The face is blurred: its sharpness is {s.sharpness:.4f}.",
        ("blurred",),
    ),
    "dark": Rule(
        lambda s: -s.brightness,
        -0.014,
        lambda s: f"The face is dark: its mean grey is {100 * s.brightness:.1f} % of white.",
        ("dark",),
    ),
    "overexposed": Rule(
        lambda s: s.white,
        0.42,
        lambda s: f"The face is overexposed: {100 * s.white:.0f} % of its pixels are white.",
        ("overexposed",),
    ),
    "cut off": Rule(
        lambda s: -s.inside,
        -0.65,
        lambda s: f"The photograph ends in the face: {100 * s.inside:.0f} % of the box lie inside.",
        ("cut off",),
    ),
    "turned away": Rule(
        lambda s: s.yaw,
        65,
        lambda s: f"The head is turned by {s.yaw or 0:.0f} degrees: the far half of the points is guessed.",
        ("as it is",),
    ),
}


@dataclass(frozen=True)
class Doubts:
    """What speaks against a result: sentences by the name of their rule.

    Attributes:
        signs: that it is bad. causes: that it might be, and why. methods: whose answer stands apart, by method.
    """

    signs: Mapping[str, str]
    causes: Mapping[str, str]
    methods: Mapping[str, str]

    @property
    def sentences(self) -> list[str]:
        """The verdict first, then signs, then methods, then causes."""
        told = [*self.signs.values(), *self.methods.values(), *self.causes.values()]
        if self.signs:
            return ["This result is probably bad.", *told]
        if told:
            return ["Nothing says that this result is bad as a whole, but be careful.", *told]
        return ["Nothing says that this result is bad."]

    def __contains__(self, name: str) -> bool:
        return name in self.signs or name in self.causes


def doubts(faces: Mapping[str, PredictedFace], image: Tensor) -> Doubts:
    """What speaks against the landmarks of one face.

    Args:
        faces: by method, all of one box. image: the photograph ``(3, H, W)`` RGB in [0, 1].
    Raises:
        ValueError: as :func:`facelab.predict.measure`.
    """
    return doubts_of(measure(faces, image), distances(faces))


def doubts_of(signals: Signals, apart: Mapping[str, float]) -> Doubts:
    """The same from what was measured.

    Args:
        apart: see :func:`facelab.predict.distances`.
    """
    told = {name: rule.told(signals) for name, rule in RULES.items() if rule.holds(signals)}
    signs = {name: sentence for name, sentence in told.items() if name in SIGNS}
    causes = {name: sentence for name, sentence in told.items() if name not in SIGNS}
    alone = {
        name: f"{name} is {100 * share:.0f} % of the face from the others: its points are probably wrong."
        for name, share in apart.items()
        if share > APART
    }
    return Doubts(signs, causes, alone)
