"""Recipes by name, and their fields by name."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def nearest(what: str, name: str, there: Mapping[str, T]) -> T:
    """The entry of that name.

    Args:
        what: is looked up, for the message.
    Raises:
        ValueError: if there is none, with the nearest name and all names.
    """
    if name in there:
        return there[name]
    close = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise ValueError(f"{what}: there is no {name!r}; {hint}expected one of {', '.join(there)}")


def changed(recipe: R, settings: Mapping[str, str]) -> R:
    """The recipe with other values in some fields.

    Args:
        settings: field to value, both as text: ``{"sigma": "1.5", "training.epochs": "3"}``. Values are JSON (numbers,
            true, null, lists) or plain words.
    Raises:
        ValueError: for an unknown field, with the nearest there is; for a value of another kind.
    """
    for name, text in settings.items():
        recipe = _with(recipe, name.split("."), text, name)
    return recipe


def _with(value: Any, path: list[str], text: str, name: str) -> Any:
    if not is_dataclass(value) or isinstance(value, type):
        raise ValueError(f"{name}: {path[0]!r} is part of a value that has no fields")
    there = {field.name: getattr(value, field.name) for field in fields(value)}
    old = nearest("field", path[0], there)
    new = _with(old, path[1:], text, name) if path[1:] else _parsed(text, old, name)
    return replace(value, **{path[0]: new})


def _parsed(text: str, old: Any, name: str) -> Any:
    try:
        new = json.loads(text)
    except ValueError:
        new = text
    if isinstance(new, list):
        new = tuple(new)
    if is_dataclass(old):
        raise ValueError(f"{name}: has fields of its own; name one of them: {', '.join(f.name for f in fields(old))}")
    if isinstance(old, float) and isinstance(new, int) and not isinstance(new, bool):
        new = float(new)
    if old is not None and new is not None and type(new) is not type(old):
        raise ValueError(f"{name}: expected a value like {old!r}, got {text!r}")
    return new
