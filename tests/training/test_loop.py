"""The loop: it learns, it goes on to the same bits, it stops on bad numbers, and each setting does what it says."""

import json
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facelab.training import Interrupted, Optimizer, fit, load_weights, pick_device
from tests.training.lines import TRUE, Line, Rows

LINE = Line()


def _planned(line: Line = LINE, **changes: Any) -> Line:
    return replace(line, training=replace(line.training, **changes))


def _numbers(history: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{k: v for k, v in entry.items() if k not in ("seconds", "waiting")} for entry in history]


def _same(first: nn.Module, second: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


class _Stopped(Exception):
    pass


@dataclass(frozen=True)
class _Stops(Line):
    """Breaks down after some batches, as a machine does."""

    after: int = 10**9

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        _calls.append(None)
        if len(_calls) > self.after:
            raise _Stopped
        return super().loss(network, batch)


_calls: list[None] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    _calls.clear()


@pytest.fixture
def same_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that breaks down and one that does not are the same run, but for the breakdown."""
    from facelab.training import loop

    monkeypatch.setattr(loop, "describe", lambda recipe, leave_out: {"kind": "Line"})


def test_it_learns_and_keeps_a_history(tmp_path: Path) -> None:
    line = _planned(replace(LINE, dropout=0.0), epochs=30)
    model, history = fit(line, output=tmp_path)
    assert [entry["epoch"] for entry in history] == list(range(1, 31))
    assert history[-1]["error"] < 0.05 < history[0]["error"] and not model.training
    assert [json.loads(row) for row in (tmp_path / "history.jsonl").read_text().splitlines()] == history
    assert all(0 <= entry["waiting"] <= 1 and entry["gradient"] > 0 for entry in history)
    names = {path.name for path in tmp_path.iterdir()} - {"tensorboard"}
    assert names == {
        "checkpoint-00000119.pt",
        "checkpoint-00000120.pt",
        "history.jsonl",
        "model.safetensors",
        "run.json",
    }
    again = line.model(5)
    notes = load_weights(again, tmp_path / "model.safetensors")
    assert _same(again, model) and json.loads(notes["seed"]) == 0


def test_the_seed_decides_everything_and_the_rest_of_the_program_nothing() -> None:
    torch.manual_seed(11)
    before = torch.get_rng_state()
    first = fit(LINE, seed=1)[0]
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(12)
    assert _same(first, fit(LINE, seed=1)[0]) and not _same(first, fit(LINE, seed=2)[0])


@pytest.mark.parametrize("save_every", [0.0, 1e9])
@pytest.mark.parametrize("changes", [{}, {"ema": 0.9}, {"select": "error"}, {"accumulate": 2}, {"clip": 0.5}])
@pytest.mark.usefixtures("same_folder")
def test_a_stopped_run_ends_with_the_same_bits(tmp_path: Path, save_every: float, changes: dict[str, Any]) -> None:
    line = _planned(save_every=save_every, **changes)
    alone, history = fit(line)
    with pytest.raises(_Stopped):
        fit(_planned(_Stops(after=14), save_every=save_every, **changes), output=tmp_path)
    resumed, again = fit(line, output=tmp_path)
    assert _same(alone, resumed) and _numbers(history) == _numbers(again)


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    first, history = fit(LINE, output=tmp_path)
    model, again = fit(LINE, output=tmp_path)
    assert again == history and _same(first, model)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    alone, _ = fit(LINE, output=tmp_path)
    (tmp_path / "checkpoint-00000024.pt").write_bytes(b"zeros where a file was")
    assert _same(alone, fit(LINE, output=tmp_path)[0])
    for path in tmp_path.glob("checkpoint-*.pt"):
        path.write_bytes(b"gone")
    with pytest.raises(ValueError, match="expected a whole checkpoint"):
        fit(LINE, output=tmp_path)


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    fit(LINE, output=tmp_path)
    with pytest.raises(ValueError, match="holds a run with seed = 0, this one has 1; give another folder"):
        fit(LINE, seed=1, output=tmp_path)
    with pytest.raises(ValueError, match="holds a run with fields.training.epochs = 6, this one has 7"):
        fit(_planned(epochs=7), output=tmp_path)
    assert fit(_planned(save_every=5.0), output=tmp_path).history  # this changes nothing that comes out
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ValueError, match=r"run.json: expected what this run trains, as JSON"):
        fit(LINE, output=tmp_path)


@dataclass(frozen=True)
class _Bad(Line):
    """A loss or a gradient that is not a number, in step 9."""

    kind: str = "loss"

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        _calls.append(None)
        loss = super().loss(network, batch)
        if len(_calls) != 10:
            return loss
        return loss * torch.nan if self.kind == "loss" else loss + (loss - loss.detach()).abs().sqrt()


@pytest.mark.parametrize("kind", ["loss", "gradient"])
def test_bad_numbers_stop_it_and_are_never_saved(tmp_path: Path, kind: str) -> None:
    expected = (
        r"(loss|gradient) is nan in step 9, samples \[\d+(, \d+){15}\]; the last good checkpoint is .*00000009.pt"
    )
    with pytest.raises(FloatingPointError, match=expected):
        fit(_Bad(kind=kind), output=tmp_path)
    saved = torch.load(tmp_path / "checkpoint-00000009.pt", weights_only=True)
    assert all(bool(value.isfinite().all()) for value in saved["model"].values())
    _calls.clear()
    with pytest.raises(FloatingPointError, match="in step 9, samples .*; nothing saved"):
        fit(_Bad(kind=kind))


@dataclass(frozen=True)
class _Asked(Line):
    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        _calls.append(None)
        if len(_calls) == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().loss(network, batch)


def test_a_wish_to_stop_is_granted_between_steps(tmp_path: Path) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted, match="stopped after step 6 of 24; the last good checkpoint is .*00000006.pt"):
        fit(_Asked(), output=tmp_path)
    assert signal.getsignal(signal.SIGTERM) is handler
    resumed = fit(_Asked(), output=tmp_path)
    assert _same(resumed.model, fit(LINE).model)


@dataclass(frozen=True)
class _Large(Line):
    """Needs more memory than there is for more than ``room`` samples."""

    room: int = 8

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        if len(batch[0]) > self.room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return super().loss(network, batch)


def test_too_little_memory_halves_the_parts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = fit(replace(LINE, dropout=0.0))
    halves = fit(_Large(dropout=0.0), output=tmp_path)
    assert capsys.readouterr().err.count("out of memory in step 0: from now on each part is cut in two") == 1
    for mine, theirs in zip(halves.model.parameters(), whole.model.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)
    with pytest.raises(torch.cuda.OutOfMemoryError, match="with parts of 16: ask for more accumulate"):
        fit(_Large(room=4))
    assert fit(_planned(_Large(room=4), accumulate=4)).history


def test_parts_add_up_to_the_batch() -> None:
    line = replace(LINE, dropout=0.0, noise=0.0)
    for mine, theirs in zip(
        fit(line).model.parameters(), fit(_planned(line, accumulate=4)).model.parameters(), strict=True
    ):
        torch.testing.assert_close(mine, theirs)


def test_clipping_bounds_each_step() -> None:
    sgd = Optimizer("sgd", 1.0)
    line = _planned(replace(LINE, dropout=0.0), epochs=1, batch=64, optimizer=sgd)
    start = line.model(0)[0].weight
    clipped = fit(_planned(line, clip=1e-3, schedule=lambda share: 1.0)).model[0]
    moved = torch.cat([(clipped.weight - start).flatten(), clipped.bias - line.model(0)[0].bias])
    assert float(moved.detach().norm()) == pytest.approx(1e-3, rel=1e-3)


def test_the_running_mean_is_what_is_kept() -> None:
    """With plain steps of gradient descent, by hand."""
    line = _planned(replace(LINE, dropout=0.0), epochs=1, optimizer=Optimizer("sgd", 0.1), ema=0.999)
    trail: list[Tensor] = []

    @dataclass(frozen=True)
    class Trail(Line):
        def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
            trail.append(network[0].weight.detach().clone())  # type: ignore[index]
            return super().loss(network, batch)

    last = fit(_planned(line, ema=None)).model[0].weight.detach()
    kept = fit(Trail(line.training, dropout=0.0)).model[0].weight
    mean = trail[0]
    for steps, weight in enumerate([*trail[1:], last], start=1):
        decay = min(0.999, (1 + steps) / (10 + steps))
        mean = decay * mean + (1 - decay) * weight
    torch.testing.assert_close(kept, mean)


@dataclass(frozen=True)
class _Worse(Line):
    """Measures how far the run has come: the first epoch looks best."""

    def measure(self, network: nn.Module, part: slice) -> dict[str, Tensor]:
        _calls.append(None)
        return {"error": torch.full((4,), float(len(_calls)))[part]}


def test_the_best_epoch_is_kept_where_that_is_asked_for() -> None:
    best = fit(_planned(_Worse(), select="error"))
    assert [entry["error"] for entry in best.history] == [1, 2, 3, 4, 5, 6]
    first = fit(_planned(epochs=6, select="error"))
    assert not _same(best.model, first.model)
    sparse = fit(_planned(_Worse(), evaluate_every=4))
    assert ["error" in entry for entry in sparse.history] == [False, False, False, True, False, True]
    with pytest.raises(ValueError, match="select: expected one of the measures error, got 'nme'"):
        fit(_planned(select="nme"))


def test_workers_read_the_same_samples() -> None:
    assert _same(fit(LINE).model, fit(_planned(workers=2)).model)


class _Drawn:
    """Samples from nothing."""

    def __len__(self) -> int:
        return 64

    def draw(self, count: int, generator: torch.Generator) -> Rows:
        return Rows(torch.randn(count, 3, generator=generator))


@dataclass(frozen=True)
class _Endless(Line):
    def samples(self, seed: int, device: torch.device, progress: bool) -> Any:
        return _Drawn()


def test_endless_samples_are_drawn_for_each_step(tmp_path: Path) -> None:
    line = _planned(_Endless(dropout=0.0), epochs=30)
    model, history = fit(line, output=tmp_path)
    assert float((model[0].weight - TRUE).abs().max().detach()) < 0.05 and len(history) == 30
    (tmp_path / "checkpoint-00000120.pt").unlink()
    assert _same(model, fit(line, output=tmp_path).model)


def test_half_precision_on_the_cpu_changes_little() -> None:
    line = replace(LINE, dropout=0.0)
    fine, coarse = fit(line), fit(_planned(line, precision="bf16"))
    assert coarse.history[-1]["error"] == pytest.approx(fine.history[-1]["error"], abs=0.2)
    assert coarse.model[0].weight.dtype is torch.float32 and not _same(fine.model, coarse.model)


def test_tensorboard_shows_the_history(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    _, history = fit(LINE, output=tmp_path)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    shown = events.Scalars("loss")
    assert [event.step for event in shown] == [4, 8, 12, 16, 20, 24]
    assert [event.value for event in shown] == pytest.approx([entry["loss"] for entry in history])


def test_devices() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for name in ("cuda:99", "gpu", "npu"):
        with pytest.raises(ValueError, match=f"device: expected auto or one of cpu.* got '{name}'"):
            pick_device(name)
