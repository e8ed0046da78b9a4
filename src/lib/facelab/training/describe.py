"""Recipes and plans as JSON: for the folder of a run, for files of weights, for people."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

NO_EFFECT = ("workers", "save_every")  # settings that change when things happen, not what comes out


def describe(value: Any, leave_out: tuple[str, ...] = ()) -> Any:
    """A dataclass as a dictionary of its fields, all the way down; classes without fields by their names.

    Args:
        leave_out: names of fields that are not told.
    """
    if is_dataclass(value) and not isinstance(value, type):
        told = {field.name: getattr(value, field.name) for field in fields(value) if field.name not in leave_out}
        return {"kind": type(value).__name__} | {name: describe(item, leave_out) for name, item in told.items()}
    if isinstance(value, Mapping):
        return {str(name): describe(item, leave_out) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe(item, leave_out) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return getattr(value, "__name__", type(value).__name__)


def flat(value: Any, before: str = "") -> dict[str, Any]:
    """Nested dictionaries as one, with dotted names."""
    if not isinstance(value, dict):
        return {before: value}
    named = {f"{before}.{name}" if before else name: item for name, item in value.items()}
    return {key: leaf for name, item in named.items() for key, leaf in flat(item, name).items()}
