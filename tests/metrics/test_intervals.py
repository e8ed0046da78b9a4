"""Bootstrap intervals: what is drawn, how wide they are, and that they hold the truth as often as they say."""

import numpy as np
import pytest
import torch
from scipy import stats

from facelab.metrics import auc, bootstrap, bootstrap_draws, by_pose, by_pose_intervals, failure_rate, interval
from facelab.metrics.intervals import Interval


def _errors(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 0.1


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    errors = _errors(2000)
    low, high = bootstrap(errors, draws=4000)
    half = stats.norm.ppf(0.975) * float(errors.std()) / 2000**0.5
    assert low == pytest.approx(float(errors.mean()) - half, abs=0.06 * half)
    assert high == pytest.approx(float(errors.mean()) + half, abs=0.06 * half)


def test_scipy_agrees() -> None:
    errors = _errors(60) ** 2
    theirs = stats.bootstrap(
        (errors.numpy(),), np.median, n_resamples=4000, method="percentile", random_state=np.random.default_rng(0)
    ).confidence_interval
    ours = bootstrap(errors, lambda drawn: drawn.quantile(0.5, dim=1), draws=4000)
    width = theirs.high - theirs.low
    assert abs(ours.low - theirs.low) < 0.08 * width and abs(ours.high - theirs.high) < 0.08 * width


def test_the_interval_holds_the_truth_nineteen_times_of_twenty() -> None:
    held = 0
    for seed in range(300):
        low, high = bootstrap(_errors(50, seed), draws=300, seed=seed)
        held += low <= 0.05 <= high
    assert 0.90 < held / 300 < 0.98


def test_a_seed_is_a_result() -> None:
    errors = _errors(40)
    assert bootstrap(errors, seed=3) == bootstrap(errors, seed=torch.Generator().manual_seed(3))
    assert bootstrap(errors, seed=3) != bootstrap(errors, seed=4)
    many = torch.cat([errors] * 50)  # drawn in several parts
    drawn = bootstrap_draws(many, draws=2500)
    assert drawn.shape == (2500,) and drawn.unique().numel() > 2400


def test_area_and_failures_are_statistics_like_others() -> None:
    errors = _errors(50)
    area = bootstrap(errors, lambda drawn: (0.08 - drawn).clamp_min(0).mean(1) / 0.08)
    failures = bootstrap(errors, lambda drawn: (drawn > 0.08).double().mean(1))
    assert area.low < auc(errors, 0.08) < area.high
    assert failures.low < failure_rate(errors, 0.08) < failures.high


def test_more_confidence_is_a_wider_interval() -> None:
    errors = _errors(50)
    narrow, wide = bootstrap(errors, confidence=0.5), bootstrap(errors, confidence=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_groups_are_drawn_whole() -> None:
    """Two groups of unequal size: a draw is both of one, both of the other, or one of each."""
    errors = torch.tensor([0.0, 3.0, 0.0, 0.0], dtype=torch.float64)
    groups = torch.tensor([7, -2, 7, 7])
    means = bootstrap_draws(errors, groups=groups, draws=400).tolist()
    assert set(means) == {0.0, 3.0, 0.75}
    assert 0.4 < means.count(0.75) / 400 < 0.6
    lengths = bootstrap_draws(errors, lambda drawn: torch.tensor([drawn.shape[1]]), groups=groups, draws=400)
    assert set(lengths.tolist()) == {2.0, 4.0, 6.0}


def test_faces_of_one_person_tell_less() -> None:
    person = _errors(20).repeat_interleave(10)  # ten pictures each, all alike
    groups = torch.arange(20).repeat_interleave(10)
    alone, together = bootstrap(person), bootstrap(person, groups=groups)
    ratio = (together.high - together.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(10**0.5, rel=0.15)


def test_runs_are_drawn_too() -> None:
    """Faces alike and runs apart: only a draw of the runs shows it; the other way round, only one of the faces."""
    runs = torch.tensor([0.01, 0.02, 0.06]).double().expand(40, 3)
    assert bootstrap(runs) == pytest.approx((0.03, 0.03))
    low, high = bootstrap(runs, runs=True)
    assert low == pytest.approx(0.01) and high == pytest.approx(0.06)
    faces = _errors(40)[:, None].expand(40, 3)
    assert bootstrap(faces, runs=True) == bootstrap(faces, runs=True, seed=0)
    assert bootstrap(faces).low == pytest.approx(bootstrap(faces[:, 0]).low)


def test_columns_stay_together() -> None:
    """The difference of two methods on the same faces has a narrow interval though either has a wide one."""
    first = _errors(100)
    both = torch.stack([first, first + 0.001], 1)
    low, high = bootstrap(both, lambda drawn: (drawn[..., 1] - drawn[..., 0]).mean(1))
    assert low == pytest.approx(0.001) and high == pytest.approx(0.001)
    assert bootstrap(first - both[:, 1]) == pytest.approx((-0.001, -0.001))


def test_intervals_by_pose() -> None:
    errors = _errors(300)
    yaw = torch.linspace(-90, 90, 300)
    ends, means = by_pose_intervals(errors, yaw), by_pose(errors, yaw)
    assert list(ends) == list(means)
    assert all(ends[key].low < means[key] < ends[key].high for key in means)
    assert ends["mean_of_faces"] == bootstrap(errors)
    inside = errors[(yaw.abs() > 30) & (yaw.abs() <= 60)]
    half = stats.norm.ppf(0.975) * float(inside.std()) / len(inside) ** 0.5
    assert ends["30-60"].high - ends["30-60"].low == pytest.approx(2 * half, rel=0.1)
    few = by_pose_intervals(errors[:4], torch.tensor([0.0, 1.0, 40.0, 80.0]))
    assert list(few) == ["0-30", "mean_of_faces"]
    assert by_pose_intervals(errors[:1], torch.tensor([0.0])) == {}


def test_interval_of_known_draws() -> None:
    assert interval(torch.arange(101.0), 0.9) == Interval(pytest.approx(5.0), pytest.approx(95.0))


ERRORS = _errors(4)
WRONG = [
    (lambda: bootstrap(ERRORS[:0]), r"non-empty \(N,\) or \(N, C\) tensor, got shape \(0,\)"),
    (lambda: bootstrap(torch.ones(2, 2, 2)), r"got shape \(2, 2, 2\)"),
    (lambda: bootstrap(ERRORS * torch.nan), "expected finite numbers"),
    (lambda: bootstrap(ERRORS[:1]), "at least 2 faces to draw from, got 1"),
    (lambda: bootstrap(ERRORS, draws=0), "draws: expected at least 1, got 0"),
    (lambda: bootstrap(ERRORS, confidence=1.0), "confidence: expected a share between 0 and 1, got 1.0"),
    (lambda: bootstrap(ERRORS, groups=torch.tensor([1, 2])), r"groups: expected whole numbers of shape \(4,\)"),
    (lambda: bootstrap(ERRORS, groups=torch.ones(4)), r"got \(4,\) torch.float32"),
    (lambda: bootstrap(ERRORS, groups=torch.ones(4).long()), "groups: expected at least 2 to draw from, got 1"),
    (lambda: bootstrap(ERRORS, runs=True), r"runs are the columns of \(N, C\), at least 2"),
    (lambda: bootstrap(ERRORS, lambda drawn: drawn), r"statistic: expected shape \(2000,\)"),
    (lambda: bootstrap(ERRORS, lambda drawn: drawn.mean(1) * torch.nan), "NaN or infinity for 2000 of 2000 draws"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
