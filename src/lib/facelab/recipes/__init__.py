"""The experiments of each paper as data, at every profile."""

from collections.abc import Mapping
from typing import Any

from facelab.recipes import cln, direct, fan, fan_depth, fan_lift, for_photographs, tddfa, tddfa_rivals, two_stage
from facelab.recipes.settings import changed, nearest

PROFILES = ("smoke", "quick", "cpu", "gpu")
RECIPES: Mapping[str, Mapping[str, Any]] = {
    "anisotropic": direct.PROFILES,
    "anisotropic-photographs": for_photographs.ANISOTROPIC,
    "cln": cln.PROFILES,
    "cln-photographs": for_photographs.CLN,
    "fan": fan.PROFILES,
    "fan-2d": fan.PROFILES_2D,
    "fan-2d-to-3d": fan_lift.PROFILES,
    "fan-depth": fan_depth.PROFILES,
    "fan-released": fan.PROFILES_RELEASED,
    "fan-photographs": fan.PROFILES_PHOTOGRAPHS,
    "prnet": tddfa_rivals.POSITION_MAPS,
    "tddfa": tddfa.PROFILES,
    "tddfa-photographs": for_photographs.TDDFA,
    "two-stage": two_stage.PROFILES,
    "two-stage-photographs": for_photographs.TWO_STAGE,
    "vrn": tddfa_rivals.VOLUMES,
}


def get(name: str, profile: str = "quick") -> Any:
    """The recipe of a network at a profile.

    ``"fan"`` is 3D-FAN by the paper's schedule, ``"fan-2d"`` the same with the 2D rule of the jaw, ``"fan-released"``
    3D-FAN by the schedule and the augmentation of the authors' training code, ``"fan-2d-to-3d"`` and ``"fan-depth"``
    the networks that are given landmarks too, ``"two-stage"`` the detection, regression and depth networks of 3DFAW's
    winner, ``"anisotropic"`` direct regression with the anisotropic loss, ``"tddfa"`` the 62 parameters of 3DDFA_V2,
    ``"prnet"`` and ``"vrn"`` the position maps and the volumes that it is compared with, ``"cln"`` the same parameters
    by two streams. Names that end in ``"-photographs"`` are the networks that come with the book: the same methods with
    an augmentation of ours.

    Raises:
        ValueError: if there is no such recipe or profile, with the nearest there is.
    """
    return nearest("profile", profile, nearest("recipe", name, RECIPES))


__all__ = ["PROFILES", "RECIPES", "changed", "get", "nearest"]
