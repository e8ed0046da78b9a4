"""Curves of many methods, one of which can be clicked away."""

import pytest
import torch

from facelab.metrics import auc
from facelab.viz import ced_explorer

ALT = "Two curves of cumulative errors, one of which is left of the other."
ERRORS = {"near": torch.linspace(0.01, 0.05, 300), "far": torch.linspace(0.02, 0.4, 300)}


def test_every_method_has_a_curve_with_its_area() -> None:
    figure = ced_explorer(ERRORS, 0.2, "bbox", ALT).figure
    assert len(figure.data) == 2
    for trace, (name, errors) in zip(figure.data, ERRORS.items(), strict=True):
        assert trace.name == f"{name}, {100 * auc(errors, 0.2):.1f} %"
        assert trace.x[0] == 0 and trace.y[0] == 0 and trace.x[-1] == pytest.approx(20)
        assert trace.y[-1] == pytest.approx(100 * float((errors <= 0.2).double().mean()))
        assert len(trace.x) < 250 and (trace.y[1:] >= trace.y[:-1]).all()


def test_a_curve_goes_through_its_median() -> None:
    trace = ced_explorer(ERRORS, 0.2, "bbox", ALT).figure.data[0]
    place = int((trace.y < 50).sum())
    assert trace.x[place] == pytest.approx(100 * float(ERRORS["near"].median()), abs=0.2)


def test_without_a_method_there_is_no_figure() -> None:
    with pytest.raises(ValueError, match="ced_explorer: expected at least one method"):
        ced_explorer({}, 0.2, "bbox", ALT)
