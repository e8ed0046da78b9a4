"""Rendered clips: one person who moves, exact labels, and the same motion warped."""

from pathlib import Path
from typing import Any

import pytest
import torch

from facelab.data import WARPED, NaturalMotion, ShortVideo, SyntheticClips, SyntheticFaces, warped_against_rendered
from facelab.data.short_video import head_centres
from facelab.face3d import builtin_face
from facelab.face3d.parameters import decompose, unpack
from facelab.metrics import stability

QUIET = ShortVideo(frames=4)


@pytest.fixture(scope="module")
def warped(cache: Path) -> SyntheticClips:
    """Clips by the law of short videos, as clean pictures."""
    return SyntheticClips(3, QUIET, 48, seed=5, yaw=(-50, 50), camera=None, folder=cache)


@pytest.fixture(scope="module")
def natural(cache: Path) -> SyntheticClips:
    return SyntheticClips(1, NaturalMotion(frames=6), 32, seed=6, yaw=(-30, 30), folder=cache)


def test_a_clip_depends_on_seed_and_index_alone_and_is_found_again(warped: SyntheticClips, cache: Path) -> None:
    entries = set(cache.iterdir())
    again = SyntheticClips(3, QUIET, 48, seed=5, yaw=(-50, 50), camera=None, folder=cache)
    assert set(cache.iterdir()) == entries
    assert torch.equal(again[1].image, warped[1].image)
    fewer = SyntheticClips(1, QUIET, 48, seed=5, yaw=(-50, 50), camera=None, folder=cache)
    assert torch.equal(fewer[0].image, warped[0].image) and torch.equal(fewer[0].parameters, warped[0].parameters)
    assert len(set(cache.iterdir()) - entries) == 1


def test_frames_are_also_a_flat_set(warped: SyntheticClips) -> None:
    clip = warped[-1]
    assert len(warped) == 3 and clip.image.shape == (4, 3, 48, 48) and clip.parameters.shape == (4, 62)
    assert isinstance(warped.frames, SyntheticFaces) and len(warped.frames) == 12
    assert list(warped.places(2)) == [8, 9, 10, 11]
    assert torch.equal(warped.frames[9].image, clip.image[1])
    assert torch.equal(warped.first_frames[2].image, clip.image[0]) and len(warped.first_frames) == 3
    with pytest.raises(IndexError, match="clip 3: expected an index below 3"):
        warped[3]


def test_labels_are_exact_in_every_frame(warped: SyntheticClips, natural: SyntheticClips) -> None:
    for clips in (warped, natural):
        clip = clips[0]
        meshes = clips.frames.vertices(clips.places(0))
        torch.testing.assert_close(clips.frames.face.landmarks_of(meshes), clip.landmarks, atol=1e-3, rtol=0)
        torch.testing.assert_close(decompose(unpack(clip.parameters).camera).angles, clip.pose, atol=1e-4, rtol=0)


def test_rendered_labels_are_those_of_the_same_motion_warped(warped: SyntheticClips) -> None:
    clip, face = warped[1], warped.frames.face
    still = clip.parameters[:1]
    labels = warped.frames.motion(1).parameters(still, head_centres(still, face))[0]
    torch.testing.assert_close(clip.parameters, labels, atol=2e-3, rtol=1e-4)
    assert (clip.parameters[1:, :12] - still[:, :12]).abs().amax(1).min() > 0.1


def test_one_person_speaks_in_a_natural_clip(natural: SyntheticClips, warped: SyntheticClips) -> None:
    _, identity, expression = unpack(natural[0].parameters)
    assert torch.equal(identity, identity[:1].expand_as(identity))
    assert expression.std(0).max() > 0.01 and bool((expression[1:] != expression[:-1]).any(1).all())
    low, high = natural.frames.face.expression_range[:10].unbind(1)
    assert bool(((expression >= low - 1e-6) & (expression <= high + 1e-6)).all())
    resting = unpack(warped[0].parameters).expression
    assert torch.equal(resting, resting[:1].expand_as(resting))


def test_natural_motion_is_smooth_and_has_the_wanted_size() -> None:
    law = NaturalMotion(frames=400)
    waves = law.waves(100, 2, torch.Generator().manual_seed(0))
    assert waves.square().mean() == pytest.approx(1, rel=0.1)
    motion = law.motion(50, 64, torch.Generator().manual_seed(1))
    yaw = torch.asin(-motion.turn[:, :, 0, 2]).rad2deg()
    assert torch.equal(yaw[:, 0], torch.zeros(50)) and 8 < float(yaw.std(1).mean()) < 16
    assert yaw.diff(dim=1).abs().max() < 6
    assert yaw.diff(dim=1).diff(dim=1).abs().mean() < 0.3 * yaw.diff(dim=1).abs().mean()


def test_true_landmarks_of_a_clip_are_steady_and_trembling_ones_are_not(natural: SyntheticClips) -> None:
    truth = natural[0].landmarks
    assert stability(truth + 2, truth).max() < 1e-6
    trembling = truth + torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    assert stability(trembling, truth).min() > 0.01


def test_warping_comes_closer_to_rendering_than_leaving_the_still(warped: SyntheticClips) -> None:
    compared = warped_against_rendered(warped, range(3), builtin_face().subset(WARPED))
    assert compared.rendered.shape == compared.warped.shape == (3, 4, 3, 48, 48)
    assert compared.difference.shape == (3, 4) and compared.difference[:, 0].abs().max() == 0
    left = (compared.rendered - compared.rendered[:, :1]).abs().mean((2, 3, 4))[:, 1:]
    assert 0 < compared.difference[:, 1:].mean() < 0.6 * left.mean()


def test_expressions_that_move_cannot_be_compared(natural: SyntheticClips) -> None:
    with pytest.raises(ValueError, match="expected those of a ShortVideo"):
        warped_against_rendered(natural, [0], natural.frames.face)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"frames": 0}, "frames"),
        ({"yaw": -1.0}, "yaw"),
        ({"zoom": float("nan")}, "zoom"),
        ({"speech": 1.5}, "speech"),
        ({"period": (1.0, 50.0)}, "period"),
    ],
)
def test_natural_motion_out_of_range_is_named(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=f"natural motion {named}: expected"):
        NaturalMotion(**settings)


def test_no_clips_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SyntheticClips count: expected at least 1, got 0"):
        SyntheticClips(0, QUIET, folder=tmp_path)
