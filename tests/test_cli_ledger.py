"""``facelab ledger`` prints what the ledger says."""

import pytest
from click.testing import CliRunner

from facelab.cli import cli
from facelab.ledger import ledger


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["ledger", *arguments])
    return result.exit_code, result.output


def test_every_claim_has_a_line() -> None:
    code, output = _run()
    lines = output.splitlines()
    assert code == 0 and lines[0].split() == ["claim", "verdict", "ours"]
    entries = ledger()
    assert [line.split()[0] for line in lines[1:-1]] == [entry.claim.id for entry in entries]
    assert all(entry.verdict in line for entry, line in zip(entries, lines[1:-1], strict=True))
    assert lines[-1].startswith(f"{len(entries)} claims, ")


def test_a_paper_and_a_verdict_choose() -> None:
    chosen = [entry for entry in ledger() if entry.claim.paper == "anisotropic" and entry.verdict == "refuted"]
    code, output = _run("--paper", "anisotropic", "--verdict", "refuted", "--reasons")
    assert code == 0 and chosen and f"{len(chosen)} claims, {len(chosen)} refuted" in output
    for entry in chosen:
        assert f"    {entry.claim.claim}\n" in output and f"    {entry.reason}\n" in output
    assert "tddfa" not in output


def test_nothing_chosen_is_said() -> None:
    code, output = _run("--paper", "fan", "--verdict", "refuted")
    chosen = [entry for entry in ledger() if (entry.claim.paper, entry.verdict) == ("fan", "refuted")]
    assert code == 0 and output.splitlines()[-1].startswith(f"{len(chosen)} claims")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--paper", "dlib"], "error: --paper dlib: expected one of two_stage"),
        (["--verdict", "true"], "error: --verdict true: expected one of confirmed"),
        (["--profile", "huge"], "error: profile 'huge': expected one of smoke"),
    ],
)
def test_unknown_names_are_one_line(arguments: list[str], message: str) -> None:
    code, output = _run(*arguments)
    assert code == 2 and output.startswith(message) and len(output.splitlines()) == 1
