"""Results are whole files with their whole provenance, or errors."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facelab.ledger import Quantity, data_folder, results, save_result
from facelab.recipes import PROFILES

Save = Callable[..., Path]
PROVENANCE = (
    "time", "commit", "processor", "threads", "versions", "python", "device", "seeds", "seconds", "command",
)  # fmt: skip


@pytest.mark.parametrize("profile", PROFILES)
def test_the_results_of_the_book_are_whole(profile: str) -> None:
    for result in results(profile).values():
        assert not result.provenance["commit"].startswith("none"), f"{result.experiment}: not run from a checkout"
        assert result.provenance["seconds"] > 0


def test_the_study_of_photographs_says_how_it_was_run() -> None:
    """``transfer.json`` has a form of its own; its provenance is checked all the same."""
    content = json.loads((data_folder() / "results" / "cpu" / "transfer.json").read_text())
    assert {"processor", "threads", "torch"} <= content["machine"].keys() and content["runs"]
    assert all(run["seconds"] > 0 and isinstance(run["seed"], int) for run in content["runs"])


def test_what_is_saved_is_read_back(save: Save, book: Path) -> None:
    path = save([0.9, 0.91, 0.95], steps=12)
    assert path == book / "results" / "cpu" / "fan-pose.json"
    assert [file.name for file in path.parent.iterdir()] == ["fan-pose.json"]
    result = results()["fan-pose"]
    assert (result.experiment, result.profile) == ("fan-pose", "cpu")
    assert result.quantities["profile over frontal"].values == (0.9, 0.91, 0.95)
    assert result.quantities["steps"].value == 12
    about = result.provenance
    assert about["seeds"] == [0, 1, 2] and about["device"] == "cpu" and about["command"] == "make reference"
    assert {"facelab", "torch", "numpy"} <= about["versions"].keys() and about["threads"]["torch"] >= 1


def test_numbers_of_numpy_are_numbers(save: Save) -> None:
    save(list(np.float32([0.5, 0.25, 0.75])), steps=np.int64(3))
    quantities = results()["fan-pose"].quantities
    assert quantities["profile over frontal"].values == (0.5, 0.25, 0.75) and quantities["steps"].value == 3


def test_saving_again_replaces(save: Save) -> None:
    save([1.0])
    save([2.0])
    assert results()["fan-pose"].quantities["profile over frontal"].values == (2.0,)


def test_a_refused_result_leaves_the_old_one(save: Save) -> None:
    path = save([1.0])
    before = path.read_bytes()
    with pytest.raises(ValueError, match="2 values for 1 seeds"):
        save([1.0], other=[1.0, 2.0])
    assert path.read_bytes() == before and [file.name for file in path.parent.iterdir()] == ["fan-pose.json"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"values": [1.0, math.nan]}, "nan: expected a finite number"),
        ({"values": [math.inf]}, "inf: expected a finite number"),
        ({"values": ["1"]}, "'1': expected a finite number"),
        ({"values": [True]}, "True: expected a finite number"),
        ({"value": math.nan}, "nan: expected a finite number"),
        ({"values": 1.0}, "values 1.0: expected a list"),
        ({"values": []}, "either 'values'"),
        ({}, "either 'values'"),
        ({"values": [1.0], "value": 1.0}, "either 'values'"),
        ({"unit": "", "value": 1.0}, "unit '': expected one of fraction"),
        ({"what": "", "value": 1.0}, "expected a sentence"),
    ],
)
def test_what_is_no_number_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Quantity(**{"what": "a ratio", "unit": "ratio", **given})


def test_unknown_profiles_and_empty_results_are_refused(book: Path) -> None:
    quantity = {"q": Quantity("a ratio", "ratio", value=1)}
    for profile, quantities, message in (("huge", quantity, "profile 'huge'"), ("cpu", {}, "at least one quantity")):
        with pytest.raises(ValueError, match=message):
            save_result("fan-pose", profile, quantities, seeds=(), seconds=1, command="x")
    with pytest.raises(ValueError, match="profile 'huge': expected one of smoke"):
        results("huge")
    assert not (book / "results").exists() and results() == {}


def _without(content: dict[str, Any], *path: str) -> None:
    for key in path[:-1]:
        content = content[key]
    del content[path[-1]]


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        (("provenance",), "a result needs .*missing: provenance"),
        (("quantities",), "a result needs .*missing: quantities"),
        *((("provenance", key), f"provenance needs .*missing: {key}") for key in PROVENANCE),
        (("quantities", "profile over frontal", "unit"), "quantity 'profile over frontal'"),
    ],
)  # fmt: skip
def test_without_provenance_there_is_no_result(save: Save, path: tuple[str, ...], missing: str) -> None:
    file = save([1.0, 2.0, 3.0])
    content = json.loads(file.read_text())
    _without(content, *path)
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=missing) as caught:
        results()
    assert str(caught.value).startswith(str(file))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"experiment": "other"}, "is of experiment 'other', profile 'cpu'"),
        ({"profile": "quick"}, "is of experiment 'fan-pose', profile 'quick'"),
        ({"quantities": {}}, "at least one quantity"),
        ({"quantities": {"q": 1.0}}, "quantity 'q'"),
        ({"quantities": {"q": {"what": "x", "unit": "ratio", "values": [1.0], "verdict": "confirmed"}}}, "verdict"),
    ],
)
def test_a_changed_file_is_refused(save: Save, change: dict[str, Any], message: str) -> None:
    file = save([1.0])
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(ValueError, match=message):
        results()


def test_seeds_are_different_numbers(book: Path) -> None:
    with pytest.raises(ValueError, match=r"list of different seeds, got \[0, 0\]"):
        save_result(
            "fan-pose", "cpu", {"q": Quantity("a", "ratio", values=(1, 2))}, seeds=[0, 0], seconds=1, command="x"
        )


def test_a_file_that_is_no_json_is_named(save: Save) -> None:
    file = save([1.0])
    file.write_text("{")
    with pytest.raises(ValueError, match=r"fan-pose\.json: expected JSON"):
        results()


def test_a_study_without_its_recipe_is_refused(book: Path) -> None:
    (book / "results" / "cpu").mkdir(parents=True)
    (book / "results" / "cpu" / "transfer.json").write_text('{"machine": {}, "sources": {}, "runs": []}')
    with pytest.raises(ValueError, match=r"transfer\.json: a study needs .*missing: recipe"):
        results()
