"""What all commands share: errors on one line, exit codes, files that are whole."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

FOLDER = click.Path(path_type=Path)


def one_line(command: Callable[..., None]) -> Callable[..., None]:
    """Makes errors one line on standard error: exit code 2 for a mistake of the user, 1 where the work failed, 130
    after an interruption."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except KeyboardInterrupt as error:
            if os.environ.get("RANK", "0") != "0":
                sys.exit(130)  # all processes of torchrun stop together; one of them tells
            _end(130, str(error) or "interrupted")
        except BrokenPipeError:
            raise  # who reads has had enough, as `head` has
        except (ValueError, OSError) as error:
            _end(2, f"error: {error}")
        except (FloatingPointError, MemoryError) as error:
            _end(1, f"error: {error}")
        except RuntimeError as error:
            if type(error).__name__ != "OutOfMemoryError":  # PyTorch's; anything else is ours to mend
                raise
            _end(1, f"error: {error}")

    return run


def _end(code: int, message: str) -> None:
    click.echo(" ".join(message.split("\n")), err=True)
    sys.exit(code)


def option(text: str) -> tuple[str, Any]:
    """``KEY=VALUE`` with whole numbers, true, false and none as such."""
    key, value = setting(text)
    known: dict[str, Any] = {"true": True, "false": False, "none": None}
    return key, known.get(value.lower(), int(value) if value.isdecimal() else value)


def setting(text: str) -> tuple[str, str]:
    """``KEY=VALUE`` as two texts.

    Raises:
        ValueError: without a key or an equals sign.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ValueError(f"{text}: expected KEY=VALUE")
    return key, value


def save(write: Callable[[Path], object], output: Path) -> None:
    """Writes beside ``output``, then renames: never half a file."""
    output.parent.mkdir(parents=True, exist_ok=True)
    scratch = output.with_name(f".{output.name}.partial")
    try:
        write(scratch)
        scratch.replace(output)
    finally:
        scratch.unlink(missing_ok=True)
