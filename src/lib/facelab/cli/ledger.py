"""``facelab ledger``: the claims of the papers and their verdicts."""

from collections import Counter
from typing import TYPE_CHECKING

import click

from facelab.cli.command import one_line

if TYPE_CHECKING:
    from facelab.ledger import Entry


@click.command()
@click.option("--paper", metavar="P", help="Claims of this paper only: two_stage, fan, anisotropic, tddfa or cln.")
@click.option("--verdict", metavar="V", help="Claims with this verdict only, as confirmed, refuted or open.")
@click.option("--profile", default="cpu", show_default=True, metavar="P", help="Whose results count.")
@click.option("--reasons", is_flag=True, help="Under each claim: what it says, what the paper prints, why the verdict.")
@one_line
def ledger(paper: str | None, verdict: str | None, profile: str, reasons: bool) -> None:
    """Every claim of the papers with its verdict and our number with its 95 % interval."""
    from facelab.ledger import PAPERS, VERDICTS
    from facelab.ledger import ledger as entries

    for option, value, known in (("--paper", paper, PAPERS), ("--verdict", verdict, VERDICTS)):
        if value is not None and value not in known:
            raise ValueError(f"{option} {value}: expected one of {', '.join(known)}")
    chosen = [
        entry for entry in entries(profile) if paper in (None, entry.claim.paper) and verdict in (None, entry.verdict)
    ]
    wide = max((len(entry.claim.id) for entry in chosen), default=5)
    high = max(map(len, VERDICTS))
    click.echo(f"{'claim'.ljust(wide)}  {'verdict'.ljust(high)}  ours")
    for entry in chosen:
        click.echo(f"{entry.claim.id.ljust(wide)}  {entry.verdict.ljust(high)}  {_number(entry)}".rstrip())
        if reasons:
            for part in ("claim", "paper", "reason"):
                click.echo(f"    {entry.text(part)}")
    counts = Counter(entry.verdict for entry in chosen)
    click.echo(f"{len(chosen)} claims" + "".join(f", {counts[name]} {name}" for name in VERDICTS if counts[name]))


def _number(entry: "Entry") -> str:
    """Nothing where there is none: the verdict says so."""
    if entry.ours is None:
        return "" if entry.audit is None else entry.text("ours")
    return f"{entry.text('ours')} ({entry.text('interval')})"
