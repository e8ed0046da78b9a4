"""Exercises of the chapter on the reader's own photograph."""

from torch import Tensor

from facelab.exercises.judging import Exercise


def _right_share(found: float, alarmed: float, bad: Tensor) -> Tensor:
    return found * bad / (found * bad + alarmed * (1 - bad))


def _pixel(side: float, crop: float, cells: float) -> tuple[float, float]:
    return crop * side / cells, 100 * crop / cells


YOUR_PHOTOGRAPH = {
    "photograph-album": Exercise(
        _right_share,
        {
            "that is how many bad ones are found, whatever their share": lambda found, alarmed, bad: 0 * bad + found,
            "false alarms come from the good ones alone, a share of 1 - b": lambda found, alarmed, bad: (
                found * bad / (found * bad + alarmed)
            ),
            "good and bad count by their shares, not alike": lambda found, alarmed, bad: (
                0 * bad + found / (found + alarmed)
            ),
            "that is how often a warning is wrong": lambda found, alarmed, bad: 1 - _right_share(found, alarmed, bad),
            "that is how many get a warning": lambda found, alarmed, bad: found * bad + alarmed * (1 - bad),
        },
        relative=5e-3,
        absolute=5e-3,
    ),
    "photograph-pixel": Exercise(
        lambda side, crop, size, stride: _pixel(side, crop, size / stride),
        {
            "that is a pixel of the network's input": lambda side, crop, size, stride: _pixel(side, crop, size),
            "the square is larger than the box": lambda side, crop, size, stride: _pixel(side, 1.0, size / stride),
            "the second is a share of the box, not of the square": lambda side, crop, size, stride: (
                crop * side * stride / size,
                100 * stride / size,
            ),
            "percent is asked for": lambda side, crop, size, stride: (
                crop * side * stride / size,
                crop * stride / size,
            ),
        },
        relative=5e-3,
    ),
}
