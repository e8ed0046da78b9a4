"""The folder of a run: checkpoints, history, weights."""

import json
import time
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from facelab.training.checkpoint import load_checkpoint, save_checkpoint
from facelab.training.describe import flat
from facelab.training.replacing import replacing
from facelab.training.state import Entry, State
from facelab.training.weights import save_weights

KEPT = 2  # checkpoints; the one before the last serves if the disk damages the last
MODEL = "model.safetensors"


class Keeper:
    """Keeps a run in a folder, or nowhere if there is none.

    ``run.json``: what is trained. ``checkpoint-<step>.pt``: the last two. ``history.jsonl``: an entry an epoch.
    ``model.safetensors``: the weights that come out. ``tensorboard``: a folder, where TensorBoard is installed.

    Args:
        folder: of the run. writes: whether this process writes; all may read.
        what: what is trained, as JSON; a folder of something else is refused.
        every: seconds from one checkpoint to the next.
    """

    def __init__(self, folder: str | Path | None, writes: bool, what: dict[str, Any], every: float) -> None:
        self.folder = None if folder is None else Path(folder)
        self.writes = writes and folder is not None
        self.what, self.every = what, every
        self._saved = time.monotonic()
        self._board: _Board | None = None

    def resume(self, state: State) -> None:
        """Brings a state to where the folder's run stopped; the first time, notes what is trained.

        Raises:
            ValueError: if the folder holds another run, or no checkpoint in it can be read.
        """
        if self.folder is None:
            return
        self.claim()
        if self.writes:
            for torn in self.folder.glob("*.partial"):  # of a process that was killed while it wrote
                torn.unlink()
        paths = self.checkpoints()
        for number, path in enumerate(paths):
            try:
                saved = load_checkpoint(path)
            except ValueError:
                if number == len(paths) - 1:
                    raise
                continue  # damaged on the disk: the one before it is whole
            try:
                return state.restore(saved)
            except ValueError as error:
                raise ValueError(f"{path}: this checkpoint is of another run: {error}") from error

    def checkpoints(self) -> list[Path]:
        """Those there are, the newest first."""
        return [] if self.folder is None else sorted(self.folder.glob("checkpoint-*.pt"), reverse=True)

    def due(self) -> bool:
        """Whether it is time for a checkpoint within an epoch."""
        return self.writes and time.monotonic() - self._saved >= self.every

    def save(self, state: State) -> None:
        """Writes a checkpoint, then removes the oldest.

        Raises:
            OSError: if it cannot be written, with the last one that is whole.
        """
        if not self.writes or self.folder is None:
            return
        try:
            save_checkpoint(state.to_save(), self.folder / f"checkpoint-{state.step:08d}.pt")
        except OSError as error:
            raise OSError(f"{error}; {self.last_good()}") from error
        for old in self.checkpoints()[KEPT:]:
            old.unlink()
        self._saved = time.monotonic()

    def last_good(self) -> str:
        """The end of a message: from where the run can go on."""
        paths = self.checkpoints()
        return f"the last good checkpoint is {paths[0]}; the same call goes on from there" if paths else "nothing saved"

    def note(self, state: State) -> None:
        """Writes the history, and its last entry for TensorBoard."""
        if not self.writes or self.folder is None:
            return
        self._write_history(state.history)
        self._board = self._board or _board(self.folder)
        if self._board is not None:
            _show(self._board, state.history[-1], state.step)

    def close(self, state: State) -> None:
        """At the end of the run: its history, and the weights that come out of it."""
        # The history again: a run that was killed between its last checkpoint and its end has none.
        self.finish(state.finished(), state.history)
        if self._board is not None:
            self._board.close()

    def finish(self, model: nn.Module, history: list[Entry]) -> None:
        """Writes what comes out: an entry an epoch, and the weights."""
        if self.writes and self.folder is not None:
            self._write_history(history)
            notes = {key: json.dumps(value) for key, value in self.what.items()}
            save_weights(model, self.folder / MODEL, notes)

    def _write_history(self, history: list[Entry]) -> None:
        assert self.folder is not None
        _replace(self.folder / "history.jsonl", "".join(json.dumps(entry) + "\n" for entry in history))

    def claim(self) -> None:
        """Notes in the folder what is trained there.

        Raises:
            ValueError: if the folder holds something else.
        """
        if self.folder is None:
            return
        path = self.folder / "run.json"
        what = json.loads(json.dumps(self.what))
        if path.exists():
            try:
                found = json.loads(path.read_text())
            except ValueError as error:
                raise ValueError(f"{path}: expected what this run trains, as JSON: {error}") from error
            there, here = flat(found), flat(what)
            for name in sorted({*there, *here}):
                if there.get(name) != here.get(name):
                    raise ValueError(
                        f"{self.folder}: holds a run with {name} = {there.get(name)}, this one has {here.get(name)}; "
                        "give another folder"
                    )
        elif self.writes:
            _replace(path, json.dumps(what, indent=1) + "\n")


def _replace(path: Path, text: str) -> None:
    with replacing(path) as scratch:
        scratch.write_text(text)


class _Board(Protocol):
    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None: ...
    def close(self) -> None: ...


def _board(folder: Path) -> _Board | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))


def _show(board: _Board, entry: Entry, step: int) -> None:
    for name, number in entry.items():
        if name != "epoch" and not isinstance(number, list):
            board.add_scalar(name, number, step)
