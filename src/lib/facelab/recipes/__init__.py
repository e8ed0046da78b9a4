"""The experiments of each paper as data, at every profile."""

from facelab.recipes import fan
from facelab.recipes.settings import changed, nearest

PROFILES = ("smoke", "quick", "cpu", "gpu")
RECIPES = {"fan": fan.PROFILES}


def get(name: str, profile: str = "quick") -> fan.FanRecipe:
    """The recipe of a paper at a profile.

    Raises:
        ValueError: if there is no such recipe or profile, with the nearest there is.
    """
    return nearest("profile", profile, nearest("recipe", name, RECIPES))


__all__ = ["PROFILES", "RECIPES", "changed", "get", "nearest"]
