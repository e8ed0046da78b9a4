"""Stability: errors of motion, not of place."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facelab.metrics import normalizer_lengths, stability


def _video(frames: int = 5, seed: int = 0, dimensions: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(frames, 68, dimensions, generator=generator, dtype=torch.float64) * 100


def test_a_constant_shift_is_steady_and_a_trembling_one_is_not() -> None:
    target = _video()
    shift = torch.tensor([3.0, 4.0])
    assert float(stability(target + shift, target).max()) < 1e-12
    trembling = target + shift * torch.tensor([0.0, 1, 0, 1, 0])[:, None, None]
    torch.testing.assert_close(stability(trembling, target, torch.ones(5)), torch.full((4,), 5.0, dtype=torch.float64))
    torch.testing.assert_close(stability(trembling, target), 5 / normalizer_lengths(target, "bbox")[1:])


def test_a_still_prediction_misses_all_motion() -> None:
    target = torch.zeros(3, 68, 2)
    target[1:] += torch.tensor([6.0, 8.0])  # a jump, then rest
    assert stability(target * 0, target, torch.ones(3)).tolist() == [10.0, 0.0]


@given(seed=st.integers(0, 10_000), dimensions=st.sampled_from([2, 3]))
def test_formula_in_numpy(seed: int, dimensions: int) -> None:
    target, predicted = _video(seed=seed, dimensions=dimensions), _video(seed=seed + 1, dimensions=dimensions)
    points, truth = predicted.numpy(), target.numpy()
    expected = []
    for frame in range(1, len(truth)):
        step = (points[frame] - points[frame - 1]) - (truth[frame] - truth[frame - 1])
        size = np.sqrt(np.ptp(truth[frame, :, 0]) * np.ptp(truth[frame, :, 1]))
        expected.append(np.sqrt((step**2).sum(1)).mean() / size)
    np.testing.assert_allclose(stability(predicted, target).numpy(), expected, rtol=1e-9)


def test_a_landmark_counts_where_it_is_seen_twice() -> None:
    target = _video(3)
    predicted = target.clone()
    predicted[1, 0] += 10.0
    predicted[1, 1] += torch.tensor([3.0, 4.0])
    visible = torch.zeros(3, 68, dtype=torch.bool)
    visible[:, 1], visible[2, 0] = True, True  # landmark 0 is seen once
    lost = predicted.clone()
    lost[~visible] = torch.nan
    assert stability(lost, target, torch.ones(3), visible=visible).tolist() == pytest.approx([5.0, 5.0])


def test_bad_input_is_named() -> None:
    target = _video(2)
    apart = torch.zeros(2, 68, dtype=torch.bool)
    apart[0, 0], apart[1, 1] = True, True
    cases = [
        (lambda: stability(target[:1], target[:1]), "at least two frames, got 1"),
        (lambda: stability(target[:0], target[:0]), "at least one face"),
        (lambda: stability(target * torch.nan, target), "predicted: expected finite"),
        (lambda: stability(target, target, torch.ones(2), visible=apart), "face 0 has no visible landmark"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
