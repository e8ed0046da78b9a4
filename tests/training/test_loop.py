"""The loop: it learns, it resumes to the same bits, it stops on bad numbers."""

import json
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from facelab.training import fit, load_checkpoint, pick_device, save_checkpoint, steps, warmup_cosine

TRUE = torch.tensor([[1.0, -2.0, 0.5]])


def _loss(model: nn.Module, batch: list[Tensor]) -> Tensor:
    return (model(batch[0]) - batch[0] @ TRUE.T).square().mean()


class _Stopped(Exception):
    pass


def _run(
    epochs: int, output: Path | None = None, stop_after: int | None = None
) -> tuple[nn.Module, list[dict[str, float]]]:
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    generator = torch.Generator().manual_seed(5)
    data = TensorDataset(torch.randn(64, 3, generator=torch.Generator().manual_seed(1)))
    batches = DataLoader(data, 16, shuffle=True, generator=generator)
    calls = 0

    def noisy(network: nn.Module, batch: list[Tensor]) -> Tensor:
        nonlocal calls
        calls += 1
        if stop_after is not None and calls > stop_after:
            raise _Stopped
        return _loss(network, [batch[0] + 0.01 * torch.randn(batch[0].shape, generator=generator)])

    optimizer = torch.optim.AdamW(model.parameters(), lr=0.3)
    history = fit(
        model,
        batches,
        noisy,
        optimizer,
        epochs,
        schedule=warmup_cosine(),
        evaluate=lambda network: {"error": float((network.weight - TRUE).abs().max())},
        generator=generator,
        output=output,
        progress=False,
    )
    return model, history


def test_it_learns_and_keeps_a_history(tmp_path: Path) -> None:
    _, history = _run(30, tmp_path)
    assert [entry["epoch"] for entry in history] == list(range(1, 31))
    assert history[-1]["error"] < 0.05 < history[0]["error"]
    assert [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()] == history
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pt", "history.jsonl"]


def test_a_stopped_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    alone, history = _run(6)
    with pytest.raises(_Stopped):
        _run(6, tmp_path, stop_after=14)  # in the middle of epoch 4
    resumed, again = _run(6, tmp_path)
    assert torch.equal(alone.weight, resumed.weight)
    drop = {"seconds"}
    assert [{k: v for k, v in e.items() if k not in drop} for e in history] == [
        {k: v for k, v in e.items() if k not in drop} for e in again
    ]


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    _, history = _run(2, tmp_path)
    assert _run(2, tmp_path)[1] == history


def test_bad_numbers_stop_it() -> None:
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = [torch.ones(1, 1), torch.full((1, 1), torch.inf)]
    with pytest.raises(FloatingPointError, match="loss is inf in epoch 1, step 2 of 2"):
        fit(model, data, lambda m, x: m(x).square().sum(), optimizer, 1, progress=False)
    with pytest.raises(ValueError, match="at least 1 epoch and 1 batch, got 1 and 0"):
        fit(model, [], lambda m, x: m(x).sum(), optimizer, 1, progress=False)


def test_schedules() -> None:
    cosine = warmup_cosine(0.1, 0.01)
    assert [cosine(s) for s in (0.0, 0.1, 0.55, 1.0)] == pytest.approx([0.01, 1.0, 0.505, 0.01])
    step = steps((15 / 40, 30 / 40))
    assert [step(epoch / 40) for epoch in (0, 14, 15, 29, 30, 39)] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_checkpoints_are_whole_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint({"w": torch.arange(1000.0)}, path)
    assert torch.equal(load_checkpoint(path)["w"], torch.arange(1000.0))
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"text"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="c.pt: expected a whole checkpoint"):
            load_checkpoint(path)
    with pytest.raises(FileNotFoundError, match="gone.pt: no such checkpoint"):
        load_checkpoint(tmp_path / "gone.pt")


class _Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (warnings.warn, ("code ran",))


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    torch.save({"w": _Code()}, tmp_path / "c.pt")
    with pytest.raises(ValueError, match="c.pt: expected a whole checkpoint of tensors and numbers"):
        load_checkpoint(tmp_path / "c.pt")
    assert not [w for w in recwarn if "code ran" in str(w.message)]


def test_a_failed_write_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint({"epoch": 1}, path)

    def full(state: object, file: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="c.pt: checkpoint not written: .*No space left"):
        save_checkpoint({"epoch": 2}, path)
    monkeypatch.undo()
    assert load_checkpoint(path) == {"epoch": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["c.pt"]


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    _run(1, tmp_path)
    other = nn.Linear(5, 1)
    with pytest.raises(ValueError, match="checkpoint.pt: this checkpoint is of another run"):
        fit(other, [torch.ones(1, 5)], lambda m, x: m(x).sum(), torch.optim.SGD(other.parameters()), 2, output=tmp_path)


def test_devices() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for name in ("cuda:99", "gpu", "npu"):
        with pytest.raises(ValueError, match=f"device: expected auto or one of cpu.* got '{name}'"):
            pick_device(name)
