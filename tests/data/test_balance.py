"""Balance of poses: shapes aligned, the score that is yaw, bins by hand, and even draws."""

import math
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from facelab.data import FaceSample, PoseBalanced, PoseBins, collect_landmarks, landmark_box, pose_bins, pose_scores
from facelab.data.balance import _joined, procrustes
from facelab.face3d import builtin_face
from facelab.geometry import WeakPerspective, rotation_matrix, similarity
from facelab.markups import markup

ROOT = Path(__file__).parents[2]


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def _solid() -> Tensor:
    face = builtin_face()
    return face.landmarks_of(face.vertices())


def _turned(yaw: Tensor, pitch: float = 0.0, seed: int = 0) -> Tensor:
    """The built-in face's mean landmarks at these yaws; pitch, roll, size and place by chance: ``(N, 68, 2)``."""
    draw = torch.rand(len(yaw), 5, generator=_generator(seed)) * 2 - 1
    rotation = rotation_matrix(pitch * draw[:, 0], yaw, 0.5 * draw[:, 1])
    camera = WeakPerspective(80 + 30 * draw[:, 2], rotation, 100 + 50 * draw[:, 3:])
    return camera.project(_solid().expand(len(yaw), -1, -1))[..., :2]


def _samples(landmarks: Tensor) -> list[FaceSample]:
    unknown = torch.full((3,), torch.nan)
    return [
        FaceSample(
            torch.zeros(3, 4, 4), points, points.isfinite().all(1), landmark_box(points), unknown, torch.zeros(62),
            str(number), "68",
        )
        for number, points in enumerate(landmarks)
    ]  # fmt: skip


def _bins(sizes: list[int]) -> PoseBins:
    """Bins of these sizes, the faces of which alternate as far as they go; the last face has none."""
    order = sorted((place, each) for each, size in enumerate(sizes) for place in range(size))
    bin_ = torch.tensor([each for _, each in order] + [-1])
    joined = tuple((each,) for each in range(len(sizes)))
    scores = torch.zeros(len(bin_))
    means = torch.zeros(len(sizes), 68, 2)
    return PoseBins(bin_, scores, torch.zeros(len(sizes) + 1), torch.tensor(sizes), joined, means, 1, 1.0)


def test_one_shape_moved_about_is_one_shape_again() -> None:
    shape = torch.rand(12, 2, generator=_generator(), dtype=torch.float64)
    angle = torch.linspace(-0.6, 0.6, 7, dtype=torch.float64)
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(-1, 2, 2)
    shapes = 50 * (1 + angle[:, None, None]) * shape @ turn.mT + 100 * angle[:, None, None]
    moved, mean = procrustes(shapes)
    torch.testing.assert_close(moved, mean.expand_as(moved), atol=1e-10, rtol=0)
    assert mean.mean(0).tolist() == pytest.approx([0, 0], abs=1e-12)
    assert float(mean.square().sum(1).mean()) == pytest.approx(1)
    upright = similarity(shape[None], mean[None]).rotation[0]
    torch.testing.assert_close(upright, torch.eye(2, dtype=torch.float64), atol=1e-3, rtol=0)


def test_aligned_shapes_need_no_turn_and_no_shift() -> None:
    scores = pose_scores(_turned(torch.linspace(-1.2, 1.2, 40), pitch=0.3))
    fit = similarity(scores.aligned, scores.mean.expand_as(scores.aligned))
    torch.testing.assert_close(fit.rotation, torch.eye(2, dtype=torch.float64).expand(40, -1, -1), atol=1e-5, rtol=0)
    torch.testing.assert_close(fit.translation, torch.zeros(40, 2, dtype=torch.float64), atol=1e-5, rtol=0)
    along = (scores.aligned * scores.mean).sum((1, 2)) / scores.mean.square().sum()
    torch.testing.assert_close(along, torch.ones(40, dtype=torch.float64), atol=1e-5, rtol=0)
    assert float(scores.axis.norm()) == pytest.approx(1)
    torch.testing.assert_close(scores.score, ((scores.aligned - scores.mean) * scores.axis).sum((1, 2)))


def test_the_score_grows_with_yaw_from_profile_to_profile() -> None:
    yaw = torch.linspace(-math.pi / 2, math.pi / 2, 37)
    scores = pose_scores(_turned(yaw))
    assert bool((scores.score.diff() > 0).all())
    assert 0.7 < scores.explained < 1
    tilted = torch.linspace(-math.pi / 2, math.pi / 2, 300)
    both = torch.stack([pose_scores(_turned(tilted, pitch=0.35)).score, tilted.double()])
    assert float(torch.corrcoef(both)[0, 1]) > 0.98


def test_the_sign_is_that_of_yaw_whichever_faces_there_are() -> None:
    for seed in range(4):
        yaw = 2.4 * torch.rand(30, generator=_generator(seed)) - 1.2
        together = torch.stack([pose_scores(_turned(yaw, seed=seed)).score, yaw.double()])
        assert float(torch.corrcoef(together)[0, 1]) > 0.98
    there, mirrored = _turned(yaw), _turned(yaw) * torch.tensor([-1.0, 1.0])
    mirrored = mirrored[:, list(markup("68").mirror)]
    torch.testing.assert_close(pose_scores(mirrored).score, -pose_scores(there).score, atol=1e-3, rtol=0)


def test_missing_points_do_not_count() -> None:
    yaw = torch.linspace(-1.3, 1.3, 60)
    landmarks = _turned(yaw)
    whole = pose_scores(landmarks)
    lacking = landmarks.clone()
    lacking[::3, torch.randperm(68, generator=_generator())[:20]] = torch.nan
    lacking[7, :40] = torch.nan  # more than half
    some = pose_scores(lacking)
    assert bool(some.score[7].isnan()) and bool(some.aligned[7].isnan().all())
    kept = torch.arange(60) != 7
    assert float((some.score - whole.score)[kept].abs().max()) < 0.1 * float(whole.score.max())
    assert torch.equal(some.aligned.isnan().any(2)[kept], lacking.isnan().any(2)[kept])
    bins = pose_bins(lacking, minimum=1)
    assert bins.left_out.tolist() == [7] and bool(bins.means.isfinite().all())
    assert (
        "faces left out, since they lack more than half of their points: 1" in str(bins) and int(bins.sizes.sum()) == 59
    )


def test_a_face_that_is_mean_and_component_has_its_score_from_any_points() -> None:
    landmarks = _turned(torch.linspace(-1.2, 1.2, 40)).double()
    known = pose_scores(landmarks)
    made = 30 * (known.mean + 0.7 * known.axis) + 5
    made[20:50] = torch.nan
    again = pose_scores(torch.cat([landmarks, made[None]]))
    assert float(again.score[-1]) == pytest.approx(0.7, abs=1e-5)
    told = (known.mean + 0.7 * known.axis)[:20]
    torch.testing.assert_close(again.aligned[-1, :20], told, atol=1e-5, rtol=0)


def test_edges_and_counts_by_hand() -> None:
    yaw = torch.linspace(-1.4, 1.4, 200)
    landmarks = _turned(yaw)
    bins = pose_bins(landmarks, bins=5)
    low, high = float(bins.score.min()), float(bins.score.max())
    assert bins.edges.tolist() == pytest.approx([low + (high - low) * step / 5 for step in range(6)])
    by_hand = [min(int((score - low) / (high - low) * 5), 4) for score in bins.score.tolist()]
    assert bins.bin.tolist() == by_hand and len(bins) == 5
    assert bins.counts.tolist() == bins.sizes.tolist() == [by_hand.count(each) for each in range(5)]
    means = torch.stack([landmarks[torch.tensor(by_hand) == each].mean(0) for each in range(5)])
    torch.testing.assert_close(bins.means, means)
    torch.testing.assert_close(bins.mean, means.mean(0))  # each bin alike, however many its faces


@pytest.mark.parametrize(
    ("counts", "joined"),
    [
        ([9, 9, 9], [(0,), (1,), (2,)]),
        ([2, 3, 20, 30, 20, 9, 1], [(0, 1, 2), (3,), (4,), (5, 6)]),
        ([2, 7, 20, 30, 0, 0, 8], [(0, 1), (2,), (3, 4, 5), (6,)]),
        ([10, 9, 3, 8, 10], [(0,), (1,), (2, 3), (4,)]),
        ([10, 8, 3, 8, 10], [(0,), (1, 2), (3,), (4,)]),
        ([3, 3, 3, 3], [(0, 1, 2, 3)]),
        ([1, 30], [(0, 1)]),
    ],
)
def test_bins_too_small_join_towards_the_middle(counts: list[int], joined: list[tuple[int, ...]]) -> None:
    assert _joined(counts, 8) == tuple(joined)


def test_joined_bins_are_reported() -> None:
    yaw = torch.cat([torch.tensor([-1.4, 1.35, 1.4]), torch.linspace(-0.6, 0.6, 200)])
    bins = pose_bins(_turned(yaw))
    assert int(bins.counts.sum()) == 203 == int(bins.sizes.sum()) and int(bins.sizes.min()) >= 8
    assert bins.counts[0] == 1 and bins.joined[0][0] == 0 and len(bins.joined[0]) > 1
    assert bins.bin[0] == 0 and bins.bin[1] == len(bins) - 1
    first = ", ".join(str(number + 1) for number in bins.joined[0])
    assert f"bins {first} are one of {bins.sizes[0]} faces: alone, some had fewer than 8" in str(bins)
    assert len(pose_bins(_turned(yaw[:10]))) == 1  # fewer faces than bins times minimum


def test_undersampling_draws_as_many_of_each_bin_and_anew() -> None:
    bins = _bins([50, 12, 30])
    view = PoseBalanced(list(range(93)), bins, "undersampled", seed=3)  # type: ignore[arg-type]
    assert len(view) == 36
    for epoch in range(3):
        drawn = view.drawn(epoch)
        assert torch.bincount(bins.bin[drawn]).tolist() == [12, 12, 12] and len(set(drawn.tolist())) == 36
    assert not torch.equal(view.drawn(0), view.drawn(1)) and torch.equal(view.drawn(2), view.drawn(2))
    again = PoseBalanced(list(range(93)), bins, "undersampled", seed=4)  # type: ignore[arg-type]
    assert not torch.equal(again.drawn(0), view.drawn(0))
    seen = torch.cat([view.drawn(epoch) for epoch in range(60)]).unique()
    assert seen.tolist() == list(range(92))  # in the end every face but the one without a bin


def test_replication_repeats_small_bins_evenly_and_loses_no_face() -> None:
    bins = _bins([50, 12, 30])
    view = PoseBalanced(list(range(93)), bins, "replicated")  # type: ignore[arg-type]
    assert len(view) == 150
    times = torch.bincount(view.drawn(5), minlength=93)
    assert times[-1] == 0
    assert {each: sorted(set(times[bins.bin == each].tolist())) for each in range(3)} == {0: [1], 1: [4, 5], 2: [1, 2]}
    assert torch.bincount(bins.bin[view.drawn(5)]).tolist() == [50, 50, 50]


def test_a_loader_sees_the_faces_of_an_epoch() -> None:
    bins = _bins([20, 9])
    view = PoseBalanced(torch.arange(30) * 10, bins)  # type: ignore[arg-type]
    loaded = torch.cat(list(DataLoader(view, batch_size=4, shuffle=True, generator=_generator())))
    assert loaded.sort().values.tolist() == (view.drawn(0) * 10).sort().values.tolist()
    sampled = DataLoader(view.whole, batch_size=4, sampler=view.drawn(7).tolist())
    assert torch.equal(torch.cat(list(sampled)), view.drawn(7) * 10)
    assert [int(view[index]) for index in (0, -1)] == (view.drawn(0)[[0, -1]] * 10).tolist()  # type: ignore[call-overload]
    with pytest.raises(IndexError):
        view[len(view)]


def test_the_draws_are_the_same_in_another_process() -> None:
    code = (
        "import torch; from tests.data.test_balance import _bins, _turned; from facelab.data import *;"
        "landmarks = _turned(torch.linspace(-1, 1, 60), pitch=0.3);"
        "print(pose_bins(landmarks, 4).bin.tolist(), PoseBalanced(range(93), _bins([50, 12, 30])).drawn(3).tolist())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    here = PoseBalanced(range(93), _bins([50, 12, 30])).drawn(3)  # type: ignore[arg-type]
    landmarks = _turned(torch.linspace(-1, 1, 60), pitch=0.3)
    assert said.strip() == f"{pose_bins(landmarks, 4).bin.tolist()} {here.tolist()}"


def test_landmarks_of_a_set() -> None:
    landmarks = _turned(torch.linspace(-1, 1, 5))
    landmarks[1, 3] = torch.nan
    deep = torch.cat([landmarks, torch.ones(5, 68, 1)], 2)
    torch.testing.assert_close(collect_landmarks(_samples(deep)), landmarks, equal_nan=True)
    with pytest.raises(ValueError, match="collect_landmarks: expected faces of one mark-up, got none"):
        collect_landmarks([])


_FRONTAL = torch.zeros(20)


@pytest.mark.parametrize(
    ("landmarks", "message"),
    [
        (torch.zeros(4, 68), r"landmarks: expected floating-point \(N, L, 2\), got torch.float32 \(4, 68\)"),
        (torch.zeros(4, 68, 3), r"landmarks: expected floating-point \(N, L, 2\)"),
        (torch.rand(9, 2, 2), "landmarks: expected at least three points a face, got 2"),
        (torch.full((9, 5, 2), torch.inf), "landmarks: expected finite points"),
        (torch.full((9, 5, 2), torch.nan), "expected at least two faces without missing points, got 0"),
        (torch.cat([torch.rand(9, 5, 2), torch.ones(1, 5, 2)]), "all points coincide in faces 9"),
        (torch.rand(5, 68, 2), "pose_bins: expected at least 8 faces with their points, got 5"),
    ],
)
def test_landmarks_that_cannot_be_binned_are_refused(landmarks: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pose_bins(landmarks)


def test_faces_of_one_pose_have_nothing_to_balance() -> None:
    with pytest.raises(ValueError, match="pose_bins: all 20 faces have one shape but for a similarity; no pose"):
        pose_bins(_turned(_FRONTAL))


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="pose_bins: expected bins and minimum of at least 1, got 0 and 8"):
        pose_bins(torch.rand(20, 5, 2), bins=0)
    with pytest.raises(ValueError, match="sampling: expected one of undersampled, replicated, got 'both'"):
        PoseBalanced(list(range(93)), _bins([50, 12, 30]), "both")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bins: expected those of the 5 faces, got of 93"):
        PoseBalanced(list(range(5)), _bins([50, 12, 30]))  # type: ignore[arg-type]
