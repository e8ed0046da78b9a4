"""Every part of the benchmark gives its lines; the figures themselves are the machine's."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import faces, metrics, parameters, rendering
from benchmarks.measuring import TINY, Line, medians
from facelab.metrics import auc


@pytest.fixture(autouse=True)
def _quick_rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "SECONDS", 0.0)
    monkeypatch.setattr(rendering, "BATCH", 2)
    monkeypatch.setattr(rendering, "SIZES", (64,))
    monkeypatch.setattr(rendering, "GRIDS", (95,))


@pytest.fixture(autouse=True)
def _small_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "BASEL_VERTICES", 300)
    monkeypatch.setattr(parameters, "VDC_BATCHES", (2,))
    monkeypatch.setattr(parameters, "WPDC_BATCH", 2)


@pytest.mark.parametrize("part", command.PARTS)
def test_a_part_gives_its_lines(part: str) -> None:
    lines = list(command.PARTS[part](TINY))
    assert lines and all(str(line).strip() for line in lines)
    for line in lines:
        if isinstance(line, Line):
            assert line.milliseconds > 0 and (line.ratio is None) == (line.against == "")
            assert line.ratio is None or line.ratio > 0


@pytest.mark.parametrize(("part", "count"), [("networks", 3), ("reconstruction", 2), ("losses", 3)])
def test_ours_does_what_the_compared_does(part: str, count: int) -> None:
    """These lines carry the largest difference to what they are compared with."""
    notes = [line.note for line in command.PARTS[part](TINY) if isinstance(line, Line)]
    differences = [float(note.removeprefix("difference ")) for note in notes if note.startswith("difference")]
    assert len(differences) == count and max(differences) < 1e-4


def test_areas_agree_and_their_peers_are_named() -> None:
    lines = list(metrics.report(TINY))
    assert [line.name.split()[0] for line in lines] == ["NME", "AUC", "AUC"]
    assert [line.against.split()[0] for line in lines] == ["mmpose's", "Simpson's", "mmpose's"]
    errors = torch.rand(500, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.2
    assert metrics.area_by_simpson(errors.numpy()) == pytest.approx(auc(errors, metrics.THRESHOLD), abs=1e-4)


def test_the_command_writes_figures_and_provenance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def part(_: object) -> Iterator[Line | str]:
        yield Line("a thing", 2.0, "another", 0.5)
        yield "a line of text"

    monkeypatch.setitem(command.PARTS, "metrics", part)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    command.main(["--only", "metrics", "--output", str(tmp_path / "bench.json")])
    written = json.loads((tmp_path / "bench.json").read_text())
    assert [line.get("name", line.get("text")) for line in written["lines"]] == ["a thing", "a line of text"]
    assert written["lines"][0]["ratio"] == 0.5 and written["lines"][0]["device"] == "cpu"
    assert {"commit", "machine", "threads", "versions"} <= written["provenance"].keys()
    assert [file.name for file in tmp_path.iterdir()] == ["bench.json"]


def test_wrong_arguments_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        (["--only", "nothing"], "invalid choice: 'nothing'"),
        (["--output", str(tmp_path / "no" / "bench.json")], "expected an existing folder"),
    ):
        with pytest.raises(SystemExit):
            command.main(arguments)
        assert message in capsys.readouterr().err


def test_another_thread_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one thread, sleeping takes no time; with several, the wall's time counts."""
    for threads, least, most in ((1, 0.0, 5.0), (2, 20.0, 10_000.0)):
        monkeypatch.setattr("torch.get_num_threads", lambda threads=threads: threads)
        assert least <= medians({"sleep": lambda: time.sleep(0.02)}, TINY)["sleep"] < most


def test_runs_take_turns() -> None:
    calls: list[str] = []
    taken = medians({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, TINY)
    assert calls == ["a", "b"] * 2 and taken.keys() == {"a", "b"}
