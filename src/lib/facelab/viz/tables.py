"""Tables as they stand in a page."""

from collections.abc import Sequence

from IPython.display import Markdown
from torch import Tensor


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Markdown:
    """Rows of cells under their columns; the first column is of words, the others are of numbers.

    Raises:
        ValueError: if a row has another length than the columns.
    """
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"table: expected {len(columns)} cells a row, got {len(row)}: {list(row)}")
    lines = [columns, [":--", *("--:" for _ in columns[1:])], *rows]
    written = [[str(cell).replace("|", r"\|") for cell in line] for line in lines]
    return Markdown("\n".join(f"| {' | '.join(line)} |" for line in written))


def spread(values: Sequence[float] | Tensor, factor: float = 100.0, digits: int = 2) -> str:
    """Mean and standard deviation of what several seeds gave, as in ``5.14 ± 0.12``; one value stands alone.

    Args:
        values: fractions. factor: 100 makes them percent. digits: after the point.
    Raises:
        ValueError: without a value.
    """
    numbers = [factor * float(value) for value in values]
    if not numbers:
        raise ValueError("spread: expected at least one value")
    mean = sum(numbers) / len(numbers)
    if len(numbers) == 1:
        return f"{mean:.{digits}f}"
    deviation = (sum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1)) ** 0.5
    return f"{mean:.{digits}f} ± {deviation:.{digits}f}"
