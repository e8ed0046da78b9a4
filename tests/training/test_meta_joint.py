"""Meta-joint optimisation: against its definition written out, and where it must refuse."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facelab.training import Optimizer, Order, Training, fit, generator_for
from tests.training.lines import Rows, TwoLines

SGD = Training(epochs=3, batch=8, optimizer=Optimizer("sgd", 0.02, momentum=0.9), save_every=0.0)
LINES = TwoLines(SGD, dropout=0.0)


def _by_definition(lines: TwoLines, seed: int) -> tuple[nn.Module, list[int]]:
    """Algorithm 1, with nothing of the engine but the batches; the weights and the branches kept."""
    order = Order(lines.count, lines.training.batch, seed)
    rows = lines.samples(seed, torch.device("cpu"), False)

    def batch(step: int) -> tuple[Tensor, ...]:
        return lines.prepare(Rows(rows[order.step(step)]), generator_for(seed, 2, step, 0))

    model = lines.model(seed)
    optimizer = lines.training.optimizer.build(model.parameters())
    total, step, kept = lines.training.epochs * len(order), 0, []
    while step < total:
        ahead = min(lines.look_ahead, total - 1 - step)
        branches = []
        for branch in lines.branches:
            mine = copy.deepcopy(model)
            own = lines.training.optimizer.build(mine.parameters())
            own.load_state_dict(copy.deepcopy(optimizer.state_dict()))
            for at in range(step, step + ahead):
                own.zero_grad()
                branch.loss(mine, batch(at)).backward()
                own.step()
            branches.append((mine, own))
        step += ahead + 1
        scores = [float(lines.score(mine, batch(step - 1)).detach()) for mine, _ in branches]
        kept.append(int(scores[1] < scores[0]))
        model, optimizer = branches[kept[-1]]
    return model, kept


def _kept(history: list[dict[str, Any]]) -> list[int]:
    return [number for entry in history for number in entry["kept"]]


@pytest.mark.parametrize("look_ahead", [1, 3, 4, 100])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_does_what_the_algorithm_says(look_ahead: int, seed: int) -> None:
    lines = replace(LINES, look_ahead=look_ahead)
    model, kept = _by_definition(lines, seed)
    found, history = fit(lines, seed)
    assert _kept(history) == kept and len(kept) == -(-24 // (look_ahead + 1))
    assert torch.allclose(found[0].weight, model[0].weight, atol=1e-6)


def test_both_branches_win_now_and_then() -> None:
    kept = _kept(fit(replace(LINES, training=replace(SGD, epochs=12))).history)
    assert set(kept) == {0, 1}


@pytest.mark.parametrize("hopeless", [0, 1])
def test_a_branch_that_climbs_is_never_kept(hopeless: int) -> None:
    history = fit(replace(LINES, hopeless=hopeless)).history
    assert set(_kept(history)) == {1 - hopeless}
    assert history[-1]["error"] < history[0]["error"]


def test_a_coin_chooses_without_a_look_at_the_score() -> None:
    lines = replace(LINES, training=replace(SGD, epochs=10), by_coin=True, look_ahead=1)
    kept, again = (_kept(fit(replace(lines, hopeless=hopeless)).history) for hopeless in (None, 0))
    assert kept == again and 10 <= sum(kept) <= 30 and len(kept) == 40


class _Stopped(Exception):
    pass


_calls: list[None] = []


@dataclass(frozen=True)
class _Breaks(TwoLines):
    """Breaks down in the midst of a round."""

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        _calls.append(None)
        if len(_calls) > 12:
            raise _Stopped
        return super().loss(network, batch)


@pytest.mark.parametrize("save_every", [0.0, 1e9])
def test_a_stopped_run_ends_with_the_same_bits(
    tmp_path: Path, save_every: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facelab.training import loop

    monkeypatch.setattr(loop, "describe", lambda recipe, leave_out: {"kind": "TwoLines"})
    _calls.clear()
    plan = replace(SGD, save_every=save_every, optimizer=Optimizer("adamw", 0.1))
    alone, history = fit(TwoLines(plan))
    with pytest.raises(_Stopped):
        fit(_Breaks(plan), output=tmp_path)
    resumed, again = fit(TwoLines(plan), output=tmp_path)
    assert torch.equal(alone[0].weight, resumed[0].weight) and _kept(history) == _kept(again)


def test_settings_that_do_not_go_with_it_are_refused() -> None:
    with pytest.raises(ValueError, match="ema"):
        fit(replace(LINES, training=replace(SGD, ema=0.9)))
    with pytest.raises(ValueError, match="look_ahead"):
        fit(replace(LINES, look_ahead=0))


@dataclass(frozen=True)
class _Normalised(TwoLines):
    """A network whose running statistics are far from those of its batches."""

    def model(self, seed: int) -> nn.Module:
        norm = nn.BatchNorm1d(3)
        norm.running_mean = torch.full((3,), 100.0)
        return nn.Sequential(norm, nn.Dropout(0.5), super().model(seed)[0])

    def score(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        norm, dropout, _ = network
        _modes.append((norm.training, dropout.training))
        return super().score(network, batch)

    def measure(self, network: nn.Module, part: slice) -> dict[str, Tensor]:
        return {}


_modes: list[tuple[bool, bool]] = []


def test_scores_are_taken_with_the_statistics_of_the_batch_and_without_dropout() -> None:
    _modes.clear()
    network, _ = fit(_Normalised(replace(SGD, epochs=1), look_ahead=1, hopeless=1))
    judged = {norm for norm, dropout in _modes if not dropout}  # in training the second loss asks for the score too
    assert judged == {True} and not network.training
