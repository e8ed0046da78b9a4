"""How much a warning is worth: what the methods find in spoilt photographs, whose truth is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facelab.markups import convert
from facelab.metrics import nme
from facelab.predict.doubts import RULES, Doubts, doubts_of
from facelab.predict.predictor import PredictedFace, Predictor
from facelab.predict.signals import SHARED, Signals, distances, measure, median_landmarks
from facelab.predict.spoilt import UNSPOILT, Spoilt
from facelab.recipes.runs import error_of
from facelab.recipes.transfer import Photograph

BAD = 0.10  # NME over the root of the area of the true box: beyond it a result is bad


@dataclass(frozen=True)
class Trial:
    """What came of one spoilt photograph.

    Attributes:
        kind: how it was spoilt. signals: what could be measured without the truth.
        apart: distance of each method from the median of the others.
        error: NME of the median of the methods. errors: of each method. Both of the 66 points that all have.
    """

    kind: str
    signals: Signals
    apart: Mapping[str, float]
    error: float
    errors: Mapping[str, float]

    @property
    def bad(self) -> bool:
        """Whether the median of the methods is farther off than ``BAD``."""
        return self.error > BAD

    @property
    def doubts(self) -> Doubts:
        """Those that a reader would be told."""
        return doubts_of(self.signals, self.apart)


@dataclass(frozen=True)
class Warned:
    """How often a warning was given, and how often that was right.

    Attributes:
        given: faces with the warning. right: share of these that were bad. missed: share of the bad ones without it;
            NaN where there is nothing to share.
    """

    given: int
    right: float
    missed: float


def try_faces(methods: Mapping[str, Predictor], faces: Sequence[Spoilt]) -> list[Trial]:
    """Every method on every face, each in the box that came with it.

    Raises:
        ValueError: without a method.
    """
    return [tried({name: method.faces(face.image, [face.box])[0] for name, method in methods.items()}, face)
            for face in faces]  # fmt: skip


def try_photographs(methods: Mapping[str, Predictor], real: Sequence[Photograph]) -> list[Trial]:
    """The same on labelled photographs, in the tight box of their labels; ``kind`` is the set they are from."""
    trials = []
    for one in real:
        sample = one.sample.converted(SHARED)
        found = {name: method.faces(sample.image, [sample.box])[0] for name, method in methods.items()}
        points = {name: convert(face.landmarks[:, :2], face.markup, SHARED) for name, face in found.items()}
        errors = {name: float(error_of(guess, sample)) for name, guess in points.items()}
        error = float(error_of(median_landmarks(found), sample))
        trials.append(Trial(one.source, measure(found, sample.image), distances(found), error, errors))
    return trials


def warned(trials: Sequence[Trial], doubt: str | None = None) -> Warned:
    """How well a doubt foretells a bad result.

    Args:
        doubt: its name; any of ``SIGNS`` if None.
    """
    told = [bool(trial.doubts.signs) if doubt is None else doubt in trial.doubts for trial in trials]
    return _counted(told, [trial.bad for trial in trials])


def warned_of_methods(trials: Sequence[Trial]) -> tuple[Warned, int, int]:
    """How well it foretells a bad answer of a method that it stands apart; of how many answers, and how many bad."""
    answers = [(name in trial.doubts.methods, error > BAD) for trial in trials for name, error in trial.errors.items()]
    told, bad = ([answer[part] for answer in answers] for part in (0, 1))
    return _counted(told, bad), len(bad), sum(bad)


def about(trials: Sequence[Trial], doubt: str) -> list[Trial]:
    """Those trials that tell of a doubt: of the photographs that show it, and of those that were left as they are."""
    kinds = RULES[doubt].kinds
    return [trial for trial in trials if not kinds or trial.kind in (*kinds, UNSPOILT)]


def best_limit(trials: Sequence[Trial], doubt: str) -> float:
    """The limit of a doubt with the largest harmonic mean of how often it is right and how many it finds.

    Raises:
        ValueError: if none of the trials went badly, or none has the signal.
    """
    rule = RULES[doubt]
    return _best([(value, t.bad) for t in trials if (value := rule.badness(t.signals)) is not None], doubt)


def best_apart(trials: Sequence[Trial]) -> float:
    """The same of the distance of a method from the median of the others, over the answers of all methods."""
    return _best([(away, t.errors[name] > BAD) for t in trials for name, away in t.apart.items()], "stands apart")


def _best(known: list[tuple[float, bool]], doubt: str) -> float:
    """The best limit of values, each with whether it is that of something bad."""
    bad = sum(is_bad for _, is_bad in known)
    if not bad:
        raise ValueError(f"best limit: expected trials with a bad result and the signal of '{doubt}'; found none")
    known = sorted(known, reverse=True)
    best, chosen, hits = 0.0, known[0][0], 0
    for told, (value, is_bad) in enumerate(known, 1):
        hits += is_bad
        score = 2 * hits / (told + bad)
        if score > best:
            best, following = score, known[told][0] if told < len(known) else value
            chosen = (value + following) / 2
    return chosen


def _counted(told: Sequence[bool], bad: Sequence[bool]) -> Warned:
    both = sum(one and other for one, other in zip(told, bad, strict=True))
    right = both / sum(told) if any(told) else float("nan")
    missed = 1 - both / sum(bad) if any(bad) else float("nan")
    return Warned(sum(told), right, missed)


def tried(found: Mapping[str, PredictedFace], face: Spoilt) -> Trial:
    """What came of a spoilt photograph by what was found in it."""
    truth = convert(face.landmarks[None, :, :2], "68", SHARED)
    points = {name: convert(one.landmarks[None, :, :2], one.markup, SHARED) for name, one in found.items()}
    return Trial(
        face.kind,
        measure(found, face.image),
        distances(found),
        float(nme(median_landmarks(found)[None], truth)),
        {name: float(nme(guess, truth)) for name, guess in points.items()},
    )
