"""Sentences about a result that may be bad."""

from dataclasses import replace

import pytest

from facelab.predict.doubts import RULES, SIGNS, doubts_of
from facelab.predict.signals import Signals

FINE = Signals(
    side=200.0, sharpness=0.5, brightness=0.5, white=0.0, inside=1.0, yaw=10.0, peak=0.9, disagreement=0.03
)  # fmt: skip
BAD = {
    "the methods disagree": ({"disagreement": 0.31}, "31 % of the face apart"),
    "FAN is unsure": ({"peak": 0.42}, "mean peak of 0.42"),
    "few pixels": ({"side": 5.0}, "has 5 pixels"),
    "blurred": ({"sharpness": 0.0001}, "0.0001"),
    "dark": ({"brightness": 0.003}, "0.3 % of white"),
    "overexposed": ({"white": 0.97}, "97 % of its pixels"),
    "cut off": ({"inside": 0.4}, "40 % of the box"),
    "turned away": ({"yaw": 89.0}, "89 degrees"),
}


def test_every_rule_is_tried() -> None:
    assert set(BAD) == set(RULES)


def test_a_good_face_has_no_doubts() -> None:
    found = doubts_of(FINE, {})
    assert not found.signs and not found.causes
    assert found.sentences == ["Nothing says that this result is bad."]


@pytest.mark.parametrize("name", BAD)
def test_each_signal_makes_its_own_doubt(name: str) -> None:
    change, words = BAD[name]
    found = doubts_of(replace(FINE, **change), {})
    assert set(found.signs) | set(found.causes) == {name} and name in found
    assert (name in found.signs) == (name in SIGNS)
    first, told = found.sentences
    sign = "This result is probably bad."
    assert first == (sign if name in SIGNS else "Nothing says that this result is bad as a whole, but be careful.")
    assert words in told


def test_signs_come_before_causes() -> None:
    found = doubts_of(replace(FINE, brightness=0.001, disagreement=0.5), {})
    assert [found.signs["the methods disagree"], found.causes["dark"]] == found.sentences[1:]


def test_what_nobody_measured_makes_no_doubt() -> None:
    found = doubts_of(replace(FINE, yaw=None, peak=None, disagreement=None), {})
    assert not found.signs and not found.causes


def test_a_method_that_stands_apart_is_named() -> None:
    found = doubts_of(FINE, {"fan": 0.02, "cln": 0.31})
    assert not found.signs and set(found.methods) == {"cln"}
    first, told = found.sentences
    assert "be careful" in first and told.startswith("cln is 31 % of the face from the others")
