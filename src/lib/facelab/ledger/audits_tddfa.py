"""The arithmetic of 3DDFA_V2 (2020): its supplement, and its main paper as far as others restate it."""

from fractions import Fraction
from functools import partial

from facelab.ledger.audits_arithmetic import (
    Audit,
    Interval,
    audit_of,
    exactly,
    listed,
    mean,
    number,
    one,
    printed,
    tally,
)
from facelab.ledger.published import Cell, published
from facelab.models.counting import parameters

PAPER = "tddfa"
_audit = partial(audit_of, PAPER)
_PER_NORMALISED = 4  # operations for each number through batch norm and ReLU, as some tools count them


def tddfa_audits() -> list[Audit]:
    """Audits of the tables, and of what the text says of them."""
    return [
        _means(),
        _repeats(),
        *_ratios(),
        _theory_and_clock(),
        _error_of_the_narrow_network(),
        _pruned(),
        _widths(),
        *_mobilenet_sizes(),
        _mobilenet_products(),
        _frames(),
    ]


def _means() -> Audit:
    rows = published(PAPER, "main-table-1", data_set="AFLW2000-3D")
    wholes = [cell for cell in rows if cell.subset == "mean"]

    def fits(whole: Cell) -> bool:
        parts = [printed(cell) for cell in rows if cell.method == whole.method and cell != whole]
        return mean(parts).meets(printed(whole))

    text, adds_up = tally(wholes, fits, "means fit")
    return _audit(
        "means",
        "main paper, table 1",
        "Mean = the plain mean of the three ranges of yaw.",
        (listed(wholes), text),
        adds_up,
        "Mean is of three ranges, not of faces: the few profiles weigh as much as the many frontal faces.",
    )


# The same experiment under two names: supplement, main paper.
_SAME = (
    ("MobileNet", "main-table-1", "MobileNet (M+R+S)"),
    ("PRNet", "main-table-1", "PRNet"),
    ("MobileNet", "main-table-4", "meta-joint + lrr + svs"),
)


def _repeats() -> Audit:
    pairs = [(cell, again) for name, table, other in _SAME for cell, again in _shared(name, "table-1", other, table)]
    pairs += _shared("meta-joint + lrr", "main-table-3", "MobileNet (M+R)", "main-table-1")
    same = sum(cell.value == again.value for cell, again in pairs)
    return _audit(
        "repeats",
        "supplement and main paper",
        "A number that stands in two tables is the same in both.",
        (f"{len(pairs)} numbers that stand in two tables", f"{same} of {len(pairs)} are the same"),
        same == len(pairs),
        "The second-hand numbers of the main paper agree with the supplement wherever both have them.",
    )


def _shared(method: str, table: str, other_method: str, other_table: str) -> list[tuple[Cell, Cell]]:
    others = published(PAPER, other_table, method=other_method)
    return [
        (cell, other)
        for cell in published(PAPER, table, method=method)
        for other in others
        if (cell.data_set, cell.subset, cell.metric) == (other.data_set, other.subset, other.metric)
    ]


def _column(metric: str, method: str) -> Cell:
    return one(PAPER, "table-1", metric=metric, method=method)


def _ratio_audit(id_: str, place: str, rule: str, claimed: Cell, large: Cell, small: Cell, why: str) -> Audit:
    ratio = printed(large) / printed(small)
    return _audit(
        id_,
        place,
        rule,
        (f"{claimed.value} times; {listed([large, small])}", f"{ratio} times"),
        ratio.meets(printed(claimed)),
        why,
    )


def _ratios() -> list[Audit]:
    rule = "A ratio in the text is the ratio of the two numbers of the table."
    light, heavy = "MobileNet-V3 x0.5", "PRNet"
    audits = [
        _ratio_audit(
            "225-times",
            "section D, table-1",
            rule,
            one(PAPER, "text", metric="times fewer MACs than PRNet"),
            _column("MACs (M)", heavy),
            _column("MACs (M)", light),
            "It fits at the very edge; 226 is nearer. The unit is multiplications, not time.",
        ),
        _ratio_audit(
            "fwpdc-speed",
            "main paper, section 2.2",
            rule,
            one(PAPER, "main-text", metric="times faster than WPDC"),
            one(PAPER, "main-text", metric="time of a batch of 128 (ms)", method="WPDC"),
            one(PAPER, "main-text", metric="time of a batch of 128 (ms)", method="fWPDC"),
            "62 reconstructions became one; the rest of the work keeps the gain well below 62.",
        ),
    ]
    for metric, name in (("parameters (M)", "parameters"), ("MACs (M)", "MACs")):
        claimed = one(PAPER, "main-text", metric=f"times the {name} of MobileNet")
        large, small = _column(metric, "ResNet-22"), _column(metric, "MobileNet")
        why = "So much more network buys 0.02 points of error: the limit lies in labels and training, not in the trunk."
        audits.append(_ratio_audit(f"resnet-22-{name.lower()}", "table-1", rule, claimed, large, small, why))
    return [*audits, _modes()]


def _modes() -> Audit:
    claimed = one(PAPER, "main-text", metric="times faster reconstruction with 40 + 10 modes")
    full, kept = (
        sum(
            int(number(one(PAPER, "text", method=method, metric=f"{kind} modes")))
            for kind in ("identity", "expression")
        )
        for method in ("BFM", "3DDFA_V2")
    )
    ratio = Fraction(full, kept)
    return _audit(
        "modes",
        "main paper, section 2.1",
        "The work of a reconstruction is one product for each vertex and mode.",
        (f"about {claimed.value} times faster", f"{full} / {kept} modes = {float(ratio):.2f}"),
        Interval(ratio, ratio).meets(printed(claimed)),
        "The gain is the count of modes, rounded up; what it costs in error is figure 2 of the supplement.",
    )


def _theory_and_clock() -> Audit:
    claimed = one(PAPER, "text", metric="times fewer MACs than PRNet")
    heavy, light = (_column("CPU time (ms)", method) for method in ("PRNet", "MobileNet-V3 x0.5"))
    ratio = printed(heavy) / printed(light)
    return _audit(
        "225-times-in-time",
        "section D, table-1",
        "Fewer multiplications save as much time.",
        (f"{claimed.value} times faster theoretically; {listed([heavy, light])}", f"{ratio} times by the clock"),
        ratio.meets(printed(claimed)),
        "Light layers move memory more than they multiply: the clock of the same table sees far less of a gain.",
    )


def _error_of_the_narrow_network() -> Audit:
    claimed = one(PAPER, "main-text", metric="higher NME than PRNet (%)")
    full, narrow = (
        one(PAPER, "table-1", metric="NME (%)", method=method, data_set="AFLW2000-3D")
        for method in ("PRNet", "PRNet x0.125")
    )
    rise = printed(narrow) / printed(full) * 100 - exactly(100)
    return _audit(
        "narrow-prnet-error",
        "main paper, introduction",
        "A rise in percent is the difference over the first number.",
        (f"{claimed.value} % higher; {listed([full, narrow])}", f"{rise} % higher"),
        rise.meets(printed(claimed)),
        "The rise is that of the network with an eighth of the channels, whatever share of them is said to be pruned.",
    )


def _pruned() -> Audit:
    claimed = one(PAPER, "main-text", metric="channels pruned (%)")
    share = 100 * (1 - Fraction(claimed.method.split("x")[-1]))
    return _audit(
        "channels-pruned",
        "main paper, introduction",
        "A network of x times the channels has lost 1 - x of them.",
        (f"{claimed.value} % of the channels pruned; {claimed.method}", f"{float(share)} %"),
        Interval(share, share).meets(printed(claimed)),
        "One of the two is a slip. The error of 5.24 belongs to an eighth of the channels in the table.",
    )


def _widths() -> Audit:
    full = _column("parameters (M)", "PRNet")
    narrow = [_column("parameters (M)", f"PRNet x{width}") for width in ("0.25", "0.125")]

    def fits(cell: Cell) -> bool:
        width = Fraction(cell.method.split("x")[-1])
        return (printed(full) * width**2).meets(printed(cell))

    text, adds_up = tally(narrow, fits, "sizes fit")
    return _audit(
        "prnet-widths",
        "table-1",
        "The parameters of a convolutional network grow with the square of its width.",
        (listed([full, *narrow]), text),
        adds_up,
        "The table means what it says: a quarter and an eighth of the channels, not of the parameters.",
    )


def _mobilenet_sizes() -> list[Audit]:
    import torch

    from facelab.models import MobileNetV1

    audits = []
    for method, width in (("MobileNet", 1.0), ("MobileNet x0.75", 0.75)):
        cell = _column("parameters (M)", method)
        with torch.device("meta"):
            size = parameters(MobileNetV1(width))
        audits.append(
            _audit(
                f"mobilenet-{width:g}-parameters",
                "table-1",
                "The layers of the released network have as many parameters as the table says.",
                (listed([cell]), f"{size / 1e6:.3f} M with 62 outputs"),
                (exactly(size) * Fraction(1, 10**6)).meets(printed(cell)),
                "The size is that of the network in use: the landmark branch of the training is left out.",
            )
        )
    return audits


def _mobilenet_products() -> Audit:
    import torch
    from torch import nn

    from facelab.models import MobileNetV1

    cell, side = _column("MACs (M)", "MobileNet"), int(number(one(PAPER, "text", metric="input side (px)")))
    products = normalised = 0

    def count(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal products, normalised
        if isinstance(layer, nn.BatchNorm2d):
            normalised += output.numel()
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            products += output.numel() * layer.weight[0].numel()

    with torch.device("meta"):
        network = MobileNetV1().eval()
        for layer in network.modules():
            layer.register_forward_hook(count)
        network(torch.zeros(1, 3, side, side))
    total = products + _PER_NORMALISED * normalised
    return _audit(
        "mobilenet-macs",
        "table-1",
        f"MACs are the products of convolutions and linear layers, here at {side} x {side}.",
        (
            listed([cell]),
            f"{products / 1e6:.1f} M; with {_PER_NORMALISED} for a number in batch norm and ReLU {total / 1e6:.1f} M",
        ),
        (exactly(products) * Fraction(1, 10**6)).meets(printed(cell)),
        "Tools count differently. A ratio of MACs from two papers may hold a few percent of bookkeeping.",
    )


def _frames() -> Audit:
    claimed = one(PAPER, "text", metric="frames per second on one CPU core")
    whole = one(PAPER, "main-text", metric="time of the whole pipeline on one core (ms)")
    rate = exactly(1000) / printed(whole)
    return _audit(
        "frames-per-second",
        "supplement, figure 4",
        "Frames per second = 1000 / milliseconds of the whole pipeline on one core.",
        (f"over {claimed.value}; {whole.value} ms", f"{rate} per second"),
        rate.high > number(claimed),
        "Most of the time goes to finding the face, not to the network.",
    )
