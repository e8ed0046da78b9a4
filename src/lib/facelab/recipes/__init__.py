"""The experiments of each paper as data, at every profile."""

from facelab.recipes import fan

_RECIPES = {"fan": fan.PROFILES}
PROFILES = ("smoke", "quick", "cpu", "gpu")


def get(name: str, profile: str = "quick") -> fan.FanRecipe:
    """The recipe of a paper at a profile.

    Raises:
        ValueError: if there is no such recipe or profile, with those there are.
    """
    if name not in _RECIPES:
        raise ValueError(f"recipe: expected one of {', '.join(_RECIPES)}, got {name!r}")
    if profile not in PROFILES:
        raise ValueError(f"profile: expected one of {', '.join(PROFILES)}, got {profile!r}")
    return _RECIPES[name][profile]


__all__ = ["PROFILES", "get"]
