"""Files that are there whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A scratch file beside ``path`` to write to; it takes the place of ``path`` unless something is raised.

    Its name ends in ``.partial``: what is left of a process that was killed can be told by that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Made by who writes it, so with the rights that other files have; ``tempfile`` would make it private.
    scratch = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    try:
        yield scratch
        with scratch.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
