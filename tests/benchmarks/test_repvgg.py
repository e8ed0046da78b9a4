"""RepVGG in the benchmark: deployed it gives the numbers of the training form, and timm is beside it if it is there."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from benchmarks import repvgg
from benchmarks.measuring import TINY, Line
from facelab.models import RepVGG


def test_deployed_networks_give_the_numbers_of_the_training_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repvgg, "peer", lambda: None)
    *lines, note = repvgg.report(TINY)
    assert [line.name.split(",")[0] for line in lines if isinstance(line, Line)] == ["RepVGG short x0.25", "CLN"]
    for line in lines:
        assert isinstance(line, Line) and line.against.startswith("the training form, ")
        assert float(line.note.removeprefix("difference ")) < 2e-5
    assert isinstance(note, str) and "timm is not installed" in note


def test_timm_is_held_against_the_deployed_trunk(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def create(name: str, num_classes: int, global_pool: str) -> RepVGG:
        asked.append(f"{name} {num_classes} {global_pool!r}")
        return RepVGG()

    timm = SimpleNamespace(
        create_model=create, utils=SimpleNamespace(reparameterize_model=lambda net: net.deploy()), __version__="0"
    )
    monkeypatch.setattr(repvgg, "peer", lambda: timm)
    lines = list(repvgg.report(replace(TINY, repvgg="a0", batches=(1,))))
    assert asked == ["repvgg_a0 0 ''"] and len(lines) == 3
    assert isinstance(lines[2], Line) and lines[2].against.startswith("timm 0's") and (lines[2].ratio or 0) > 0
    assert len(list(repvgg.report(TINY))) == 2  # timm has no trunk like this


def test_the_peer_is_timm() -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    assert repvgg.peer() is timm


def test_outputs_are_found() -> None:
    maps = torch.zeros(2, 3)
    assert repvgg._first(maps) is maps and repvgg._first((maps, torch.ones(1))) is maps
