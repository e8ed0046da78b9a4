"""Tables in pages: as Markdown, with means and deviations that are right."""

import statistics

import pytest
import torch

from facelab.viz import spread, table


def test_a_table_is_markdown_with_numbers_to_the_right() -> None:
    shown = table(["network", "NME", "runs"], [["FAN", "5.1 ± 0.2", 3], ["mean shape", 20.5, 1]])
    assert shown.data.splitlines() == [
        "| network | NME | runs |",
        "| :-- | --: | --: |",
        "| FAN | 5.1 ± 0.2 | 3 |",
        "| mean shape | 20.5 | 1 |",
    ]
    assert table(["alone"], []).data == "| alone |\n| :-- |"


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"table: expected 2 cells a row, got 3: \['a', 1, 2\]"):
        table(["network", "NME"], [["b", 1], ["a", 1, 2]])


def test_spread_is_mean_and_standard_deviation_of_the_sample() -> None:
    values = (0.0512, 0.0534, 0.0498)
    mean, deviation = 100 * statistics.mean(values), 100 * statistics.stdev(values)
    assert spread(values) == f"{mean:.2f} ± {deviation:.2f}" == "5.15 ± 0.18"
    assert spread(torch.tensor(values, dtype=torch.float64)) == spread(list(values))
    assert spread((1.0, 3.0), factor=1, digits=0) == "2 ± 1" and spread((1.0, 3.0), 1, 3) == "2.000 ± 1.414"


def test_one_value_stands_alone_and_none_is_refused() -> None:
    assert spread((0.0512,)) == "5.12" and spread((0.1, 0.1)) == "10.00 ± 0.00"
    with pytest.raises(ValueError, match="spread: expected at least one value"):
        spread(())
