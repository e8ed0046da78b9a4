"""Runs that are killed, and runs of several processes, as they happen: in processes of their own."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from facelab.training import load_checkpoint

SCRIPT = str(Path(__file__).with_name("run_line.py"))
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone"]


def _wait(command: list[str]) -> list[dict[str, float]]:
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=240)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _same_weights(first: Path, second: Path) -> bool:
    mine, theirs = (load_file(folder / "model.safetensors") for folder in (first, second))
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def _numbers(history: list[dict[str, float]]) -> list[tuple[float, ...]]:
    return [tuple(v for k, v in sorted(entry.items()) if k not in ("seconds", "waiting")) for entry in history]


def test_a_run_killed_three_times_ends_with_the_same_bits(tmp_path: Path) -> None:
    settings = ["pause=0.02", "epochs=10"]
    alone = _wait([sys.executable, SCRIPT, str(tmp_path / "alone"), *settings])
    command, moments = [sys.executable, SCRIPT, str(tmp_path / "killed"), *settings], random.Random(3)
    for _ in range(3):
        before = _steps(tmp_path / "killed")
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
        while _steps(tmp_path / "killed") <= before + 2 and process.poll() is None:
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.1))
        assert process.poll() is None, "the run ended before it could be killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
        for path in (tmp_path / "killed").glob("checkpoint-*.pt"):
            assert load_checkpoint(path)["random"]["step"] > 0
    assert _numbers(_wait(command)) == _numbers(alone)
    assert _same_weights(tmp_path / "killed", tmp_path / "alone")
    assert not list((tmp_path / "killed").glob("*.partial"))


def _steps(folder: Path) -> int:
    return max((int(path.stem.split("-")[1]) for path in folder.glob("checkpoint-*.pt")), default=0)


def test_two_processes_give_the_losses_of_one(tmp_path: Path) -> None:
    """The batch of 16 in two parts: one after the other in one process, or side by side in two."""
    one = _wait([sys.executable, SCRIPT, str(tmp_path / "one"), "accumulate=2"])
    two = _wait([*TORCHRUN, "--nproc-per-node=2", SCRIPT, str(tmp_path / "two")])
    assert len(two) == len(one) == 6
    for mine, theirs in zip(two, one, strict=True):
        for name in ("loss", "gradient", "error"):
            assert mine[name] == pytest.approx(theirs[name], rel=1e-4, abs=1e-6)
    assert sorted(path.name for path in (tmp_path / "two").iterdir() if path.is_file()) == [
        "checkpoint-00000023.pt", "checkpoint-00000024.pt", "history.jsonl", "model.safetensors", "run.json",
    ]  # fmt: skip


def test_two_processes_choose_the_branches_that_one_does(tmp_path: Path) -> None:
    one = _wait([sys.executable, SCRIPT, str(tmp_path / "one"), "accumulate=2", "look_ahead=2"])
    two = _wait([*TORCHRUN, "--nproc-per-node=2", SCRIPT, str(tmp_path / "two"), "look_ahead=2"])
    assert [entry["kept"] for entry in two] == [entry["kept"] for entry in one]
    assert two[-1]["error"] == pytest.approx(one[-1]["error"], rel=1e-4, abs=1e-6)


def test_the_others_go_on_when_a_process_dies(tmp_path: Path) -> None:
    """torchrun starts all of them again, and they go on from the last checkpoint."""
    whole = _wait([*TORCHRUN, "--nproc-per-node=2", SCRIPT, str(tmp_path / "whole")])
    died = tmp_path / "died"
    command = [*TORCHRUN, "--nproc-per-node=2", "--max-restarts=1", SCRIPT, str(tmp_path / "broken"), f"dies_in={died}"]
    assert _numbers(_wait(command)) == _numbers(whole)
    assert died.exists() and _same_weights(tmp_path / "broken", tmp_path / "whole")


def test_ctrl_c_saves_and_tells_how_to_go_on(tmp_path: Path) -> None:
    command = [sys.executable, SCRIPT, str(tmp_path / "run"), "pause=0.02", "epochs=10"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    while _steps(tmp_path / "run") < 3:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    step = _steps(tmp_path / "run")
    assert process.returncode != 0 and f"stopped after step {step} of 40; the last good checkpoint is" in said
    alone = _wait([sys.executable, SCRIPT, str(tmp_path / "alone"), "epochs=10"])
    assert _numbers(_wait(command)) == _numbers(alone) and _steps(tmp_path / "run") == 40
