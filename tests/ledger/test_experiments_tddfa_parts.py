"""What is measured of 3DDFA_V2 without training: all that its claims ask for, and the command that writes it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from facelab.cli import cli
from facelab.ledger import Quantity, claims, experiments_tddfa_parts, results
from facelab.ledger.experiments_tddfa_parts import tddfa_part_experiments

Experiments = dict[str, dict[str, Quantity]]


@pytest.fixture(scope="module")
def measured() -> Experiments:
    return tddfa_part_experiments((0, 1), faces=20, weighed=8, batch=8)


def test_every_quantity_that_a_claim_asks_for_is_there(measured: Experiments) -> None:
    asked = [each for claim in claims() if (each := claim.measurement) and each.experiment in measured]
    assert {each.experiment for each in asked} == set(measured)
    for each in asked:
        found = measured[each.experiment]
        assert found[each.quantity].unit == each.unit
        assert each.control is None or each.control.quantity in found


def test_numbers_are_one_a_seed_and_of_a_right_size(measured: Experiments) -> None:
    values = {name: quantity.values for each in measured.values() for name, quantity in each.items()}
    assert {len(each) for each in values.values()} == {2}
    assert 0 < max(values["error of 40 and 10 modes"]) < min(values["error of 5 and 2 modes"]) < 0.03
    assert max(values["largest difference of a weight"]) < 1e-9
    assert min(values["largest difference with predicted coefficients"]) > 1e-3
    assert min(values["time of all modes over 40 and 10"]) > 1 and min(values["time of WPDC over fWPDC"]) > 10
    assert min(values["MobileNet"]) > max(values["PRNet"]) > 0


def test_the_command_writes_them(measured: Experiments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELAB_BOOK", str(tmp_path))
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(experiments_tddfa_parts, "tddfa_part_experiments", lambda seeds: measured)
    done = CliRunner().invoke(cli, ["bench", "tddfa-parts", "--profile", "smoke", "--seeds", "2"])
    assert done.exit_code == 0, done.output
    written = results("smoke")
    assert {name: result.quantities for name, result in written.items()} == measured
    assert (
        written["tddfa-speed"].provenance["command"] == "python -m facelab bench tddfa-parts --profile smoke --seeds 2"
    )
