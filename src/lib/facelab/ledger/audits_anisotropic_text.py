"""What the text of "Not all points are created equal" says of its tables, and numbers that stand in two of them."""

from decimal import Decimal

from facelab.ledger.audits_anisotropic import OURS, PAPER, RUNS, audit, cell_of
from facelab.ledger.audits_arithmetic import (
    Audit,
    Interval,
    beyond_chance,
    fall,
    listed,
    number,
    one,
    printed,
    tally,
)
from facelab.ledger.published import Cell, published


def anisotropic_text_audits() -> list[Audit]:
    """Audits of the claims of the text, and of numbers that the paper prints twice."""
    return [
        *_margins(),
        _halved(),
        _best_on_every_subset(),
        _best_without_balancing(),
        _blur(),
        _frontal(),
        _copies_within_table_6(),
        _awing_of_table_6(),
        _copies_within_table_4(),
        _one_network(),
        _smooth_l1(),
        _boundary_lines(),
    ]


def _margins() -> list[Audit]:
    rule = f"A difference that is no accident exceeds two standard errors of the mean over {RUNS} runs."
    audits = []
    for subset, rival, why in (
        ("challenging", "AWing", "The text calls this margin significant; it is smaller than the spread of the runs."),
        ("challenging", "Wing", "The text calls this margin significant, and so it is."),
        ("full", "Wing", "The best error on 300W rests on this difference, a third of the spread of the runs."),
    ):
        ours, theirs = (
            one(PAPER, "table-1", method=method, subset=subset, normaliser="interpupil") for method in (OURS, rival)
        )
        spread, gap = ours.spread or Decimal(0), number(theirs) - number(ours)
        error = 2 * float(spread) / RUNS**0.5
        audits.append(
            audit(
                f"margin-{subset}-{rival.lower()}",
                "section 4.4, table-1",
                rule,
                (listed([ours, theirs]), f"difference {gap}, two standard errors {error:.2f}"),
                beyond_chance(gap, spread, RUNS),
                why,
            )
        )
    return audits


def _halved() -> Audit:
    claimed = one(PAPER, "text", metric="FR (%)")
    falls, cells, named = {}, [], ""
    for metric in ("FR8 (%)", "FR10 (%)"):
        rates = [cell for cell in published(PAPER, "table-5", metric=metric) if cell.value is not None]
        ours = next(cell for cell in rates if cell.method == OURS)
        best = min((cell for cell in rates if cell.method != OURS), key=number)
        falls[metric] = fall(printed(best), printed(ours))
        named = metric if ours.value == claimed.value else named
        cells += [best, ours]
    return audit(
        "failures-halved",
        "section 4.4, table-5",
        "A rate that is almost halved falls by at least 45 %, at the threshold of the rate that is named.",
        (
            f"almost halved to {claimed.value} %; {listed(cells)}",
            "; ".join(f"{metric.split()[0]} falls by {by} %" for metric, by in falls.items()),
        ),
        falls[named].high >= 45,
        "The sentence takes the rate at 10 % and the fall at 8 %; at 10 % one failure in five is gone, not one in two.",
    )


def _best_on_every_subset() -> Audit:
    wins = total = 0
    for metric, better in (("FR10 (%)", min), ("AUC10 (fraction)", max)):
        cells = published(PAPER, "table-3", metric=metric)
        for subset in dict.fromkeys(cell.subset for cell in cells):
            best = better((cell for cell in cells if cell.subset == subset), key=number)
            total, wins = total + 1, wins + (best.method == OURS)
    return audit(
        "best-on-every-subset",
        "section 4.5, table-3",
        "Best on FR and AUC on every subset means the lowest and the highest number of each column.",
        ("outperforms on FR and AUC on every subset", f"{wins} of {total} columns"),
        wins == total,
        "The ranking holds as printed; whether the numbers do is another audit.",
    )


def _best_without_balancing() -> Audit:
    marked = [cell for cell in published(PAPER, "table-4") if "state of the art" in cell.note]
    cited = [
        cell
        for cell in published(PAPER, "table-1", normaliser="interpupil")
        if cell.method != OURS and "own run" not in cell.method
    ]

    def best(subset: str) -> Cell:
        return min((cell for cell in cited if cell.subset == subset), key=number)

    text, adds_up = tally(marked, lambda cell: number(cell) < number(best(cell.subset)), "marked cells are lower")
    bests = listed([best(subset) for subset in dict.fromkeys(cell.subset for cell in marked)])
    return audit(
        "best-without-balancing",
        "section 5, table-4",
        "A number marked as better than the state of the art is below the best number that table 1 cites.",
        (listed(marked), f"best cited: {bests}; {text}"),
        adds_up,
        "The marks compare with AWing alone, as table 4 lists it. Table 1 itself cites lower errors: without the "
        "balancing of this paper the loss does not lead.",
    )


def _blur() -> Audit:
    errors = published(PAPER, "table-3", metric="NME (%)")
    pairs = {
        method: (cell_of(errors, method, "blur", "NME (%)"), cell_of(errors, method, "test", "NME (%)"))
        for method in dict.fromkeys(cell.method for cell in errors)
    }
    harder = [method for method, (blur, test) in pairs.items() if number(blur) > number(test)]
    return audit(
        "blur-below-full",
        "table-3",
        "Blurred faces are harder than the whole test set, for every method.",
        (listed(pairs[OURS]), f"harder for {len(harder)} of {len(pairs)}: {', '.join(harder)}"),
        OURS in harder,
        "Blur as the easiest subset would be remarkable; the area in the same column says that it is a slip.",
    )


def _frontal() -> Audit:
    cells = published(PAPER, "table-2")
    full = {cell.method: cell for cell in cells if cell.subset == "full"}
    ratios = {
        cell.method: printed(cell) / printed(full[cell.method])
        for cell in cells
        if cell.subset == "frontal" and cell.value is not None
    }
    ours = ratios.pop(OURS)
    others = Interval(min(ratio.low for ratio in ratios.values()), max(ratio.high for ratio in ratios.values()))
    return audit(
        "frontal-share",
        "table-2",
        "Frontal over full error lies where it does for other methods.",
        (listed([cell for cell in cells if cell.method == OURS]), f"ratio {ours}; of {len(ratios)} others {others}"),
        ours.meets(others),
        "Frontal faces gain least from the new method, but so they do from SAN; the digits printed decide nothing.",
    )


# The same number in two tables.


def _sources_of_table_6(cell: Cell) -> list[Cell]:
    """Cells of tables 1 to 3 that table 6 repeats."""
    table = {"300W": "table-1", "AFLW": "table-2", "WFLW": "table-3"}[cell.data_set]
    return published(
        PAPER, table, method=cell.method, subset=cell.subset, metric=cell.metric, normaliser=cell.normaliser
    )


def _copies_within_table_6() -> Audit:
    repeated = [
        cell
        for cell in published(PAPER, "table-6")
        if _sources_of_table_6(cell) and (cell.method, cell.data_set) != ("AWing", "300W")
    ]
    text, adds_up = tally(repeated, lambda cell: _sources_of_table_6(cell)[0].value == cell.value, "are the same")
    return audit(
        "table-6-repeats",
        "table-6",
        "A number that stands in two tables is the same in both.",
        (listed(repeated), text),
        adds_up,
        "All numbers but one that table 6 shares with tables 1 to 3 agree; the exception has its own line.",
    )


def _awing_of_table_6() -> Audit:
    cell = one(PAPER, "table-6", method="AWing", data_set="300W")
    source = _sources_of_table_6(cell)[0]
    same = [other for other in published(PAPER, "table-1", subset="full") if other.value == cell.value]
    return audit(
        "table-6-awing",
        "table-6, 300W",
        "A number that stands in two tables is the same in both.",
        (listed([cell]), f"table-1: {listed([source])}; {cell.value} stands there for {listed(same)}"),
        cell.value == source.value,
        "The number of the authors' run of Wing stands in the column of AWing and makes AWing look better than it was.",
    )


def _copies_within_table_4() -> Audit:
    cells = [cell for cell in published(PAPER, "table-4") if cell.method in ("AWing", OURS)]
    firsts = [
        one(PAPER, "table-1", method=cell.method, subset=cell.subset, normaliser=cell.normaliser) for cell in cells
    ]
    good = sum((a.value, a.spread) == (b.value, b.spread) for a, b in zip(cells, firsts, strict=True))
    return audit(
        "table-4-repeats",
        "table-4",
        "A number that stands in two tables is the same in both.",
        (listed(cells), f"{good} of {len(cells)} are the same as in table 1"),
        good == len(cells),
        "The headline is one experiment: the loss with the paper's own balancing.",
    )


def _one_network() -> Audit:
    cells = published(PAPER, "table-6")
    copied = [cell for cell in cells if "another paper" in cell.note]
    return audit(
        "losses-one-network",
        "table-6",
        "A comparison of losses changes the loss alone: same network, same training.",
        (f"{len(cells)} numbers, said to use ResNet-50", f"{len(copied)} of {len(cells)} are marked as copied"),
        not copied,
        "AWing is a heatmap hourglass, Wing another network: the table ranks whole methods, not losses.",
    )


def _smooth_l1() -> Audit:
    ours, theirs = (
        [one(PAPER, table, method=method, data_set="WFLW", subset="test") for method in ("Smooth L1", "Wing")]
        for table in ("table-6", "second-hand")
    )
    gap, usual = (printed(first) - printed(second) for first, second in (ours, theirs))
    return audit(
        "smooth-l1-wflw",
        "table-6, WFLW",
        "What Wing gains on Smooth L1 with a ResNet-50 is at most twice as much as in a well-kept library.",
        (listed(ours), f"gain {gap}; in mmpose {listed(theirs)}, gain {usual}"),
        gap.low <= 2 * usual.high,
        "The simple losses were trained less well than they can be, so the gain of any new loss looks larger.",
    )


def _boundary_lines() -> Audit:
    claimed = one(PAPER, "text", metric="boundary lines")
    code = published(PAPER, "second-hand", metric="boundary lines")
    return audit(
        "boundary-lines",
        "section 4.3",
        "The number of boundary lines is that of the source it names.",
        (f"{claimed.value} lines on AFLW, as AWing", "; ".join(f"{cell.data_set}: {cell.value}" for cell in code)),
        any(cell.value == claimed.value for cell in code),
        "The loss depends on these lines and on which points count as corners; neither can be looked up.",
    )
