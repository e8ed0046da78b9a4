"""How often a warning is right: counted by hand, and on a few rendered faces."""

import math
from dataclasses import replace

import pytest

from facelab import load
from facelab.predict.signals import Signals
from facelab.predict.spoilt import spoilt_faces
from facelab.predict.trial import Trial, about, best_apart, best_limit, try_faces, warned, warned_of_methods

FINE = Signals(200.0, 0.5, 0.5, 0.0, 1.0, 10.0, 0.9, 0.03)


def _trial(apart: float, error: float, kind: str = "as it is", **changes: float) -> Trial:
    return Trial(kind, replace(FINE, disagreement=apart, **changes), {}, error, {})


def test_shares_are_counted() -> None:
    """Three warnings, two of them right; one of three bad ones is missed."""
    trials = [_trial(0.2, 0.3), _trial(0.2, 0.3), _trial(0.2, 0.05), _trial(0.01, 0.3), _trial(0.01, 0.05)]
    for name in ("the methods disagree", None):
        found = warned(trials, name)
        assert (found.given, found.right, found.missed) == pytest.approx((3, 2 / 3, 1 / 3))


def test_a_share_of_nothing_is_no_number() -> None:
    found = warned([_trial(0.01, 0.01)])
    assert found.given == 0 and math.isnan(found.right) and math.isnan(found.missed)


def test_the_best_limit_lies_between_good_and_bad() -> None:
    trials = [_trial(0.01 * step, 0.3 if step > 6 else 0.03) for step in range(11)]
    assert best_limit(trials, "the methods disagree") == pytest.approx(0.065)
    with pytest.raises(ValueError, match="expected trials with a bad result"):
        best_limit(trials[:5], "the methods disagree")


def test_the_best_limit_weighs_right_against_found() -> None:
    """Warn of the worst two: all right, 2 of 3 found, mean 0.8. Of all six: 3 of 6 right, mean 0.67."""
    trials = [_trial(apart, error) for apart, error in
              ((0.9, 0.3), (0.8, 0.3), (0.7, 0.01), (0.6, 0.01), (0.5, 0.01), (0.4, 0.3))]  # fmt: skip
    assert best_limit(trials, "the methods disagree") == pytest.approx(0.75)


def test_methods_are_counted_by_their_answers() -> None:
    """Four answers: one apart and bad, one apart and good, one bad and not apart, one good and not apart."""
    trials = [replace(_trial(0.0, 0.0), apart={"a": 0.3, "b": far}, errors={"a": 0.2, "b": error})
              for far, error in ((0.0, 0.01), (0.01, 0.4))]  # fmt: skip
    trials[1] = replace(trials[1], errors={"a": 0.02, "b": 0.4})
    score, answers, bad = warned_of_methods(trials)
    assert (score.given, score.right, score.missed, answers, bad) == (2, 0.5, 0.5, 4, 2)
    assert best_apart(trials[:1]) == pytest.approx(0.15)


def test_a_cause_is_judged_on_its_own_kind() -> None:
    trials = [_trial(0.0, 0.0, kind) for kind in ("as it is", "dark", "blurred")]
    assert [trial.kind for trial in about(trials, "dark")] == ["as it is", "dark"]
    assert about(trials, "FAN is unsure") == trials


def test_signs_go_with_the_error_of_real_networks() -> None:
    """Of faces as they are none is bad and none has a sign; boxes far astray are bad, and have one."""
    methods = {name: load(name) for name in ("fan", "tddfa")}
    plain = try_faces(methods, [f for f in spoilt_faces(4, 7, ["as it is"]) if abs(f.yaw) < 60])
    astray = try_faces(methods, spoilt_faces(12, 7, ["box astray"]))
    assert plain and not any(trial.bad or trial.doubts.signs for trial in plain)
    assert set(plain[0].errors) == set(plain[0].apart) == {"fan", "tddfa"}
    bad = [trial for trial in astray if trial.error > 0.3]
    assert len(bad) >= 3 and all(trial.doubts.signs for trial in bad)
