"""Short videos of stills: their labels, their law of motion, and their pictures."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from facelab.data import WARPED, SceneRanges, ShortVideo, synthesize
from facelab.data.short_video import Motion, head_centres
from facelab.data.synthetic import render_scene, sample_scene
from facelab.face3d import MorphableModel, builtin_face
from facelab.face3d.parameters import decompose, pack, project, unpack
from facelab.geometry import Affine, rotation_matrix

STILL = ShortVideo(scale=(1, 1), roll=0, shift=0, turn=0, noise=0, blur=0)
SIZE = 48


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def mesh() -> MorphableModel:
    return builtin_face().subset(WARPED)


@pytest.fixture(scope="module")
def stills() -> tuple[Tensor, Tensor]:
    face = builtin_face()
    scene = sample_scene(face, 3, SIZE, SceneRanges(yaw=(-60, 60)), seeded(0))
    return render_scene(face, scene).image, pack(scene.camera.matrix(), scene.identity, scene.expression)


def test_labels_are_the_mesh_turned_about_its_head_and_moved_in_the_plane(
    mesh: MorphableModel, stills: tuple[Tensor, Tensor]
) -> None:
    parameters = stills[1].double()
    motion = ShortVideo().motion(3, SIZE, seeded(1)).to(parameters)
    centre = head_centres(parameters, mesh).double()
    labels = motion.parameters(parameters, centre)
    camera, identity, expression = unpack(parameters)
    shape = mesh.landmark_model().vertices(identity, expression).double()
    for frame in range(8):
        about = (shape - centre[:, None]) @ motion.turn[:, frame].transpose(1, 2) + centre[:, None]
        plane = about @ camera[:, :2, :3].transpose(1, 2) + camera[:, None, :2, 3]
        wanted = Affine(motion.affine[:, frame]).apply(plane)
        moved = project(mesh.landmark_model(), labels[:, frame].float())[..., :2]
        torch.testing.assert_close(moved.double(), wanted, atol=1e-3, rtol=0)
    assert torch.equal(labels[:, 0], parameters) and torch.equal(labels[:, 5, 12:], parameters[:, 12:])


def test_steps_put_together_are_steps_one_after_the_other(stills: tuple[Tensor, Tensor], mesh: MorphableModel) -> None:
    """``x_j = (T o F)(x_{j-1})``, the law of the paper, with labels of labels."""
    parameters = stills[1].double()
    motion = ShortVideo().motion(3, SIZE, seeded(2)).to(parameters)
    centre = head_centres(parameters, mesh).double()
    whole, walked = motion.parameters(parameters, centre), parameters
    for frame in range(1, 8):
        affine = Affine(motion.affine[:, frame]) @ Affine(motion.affine[:, frame - 1]).inverse()
        turn = motion.turn[:, frame - 1].transpose(1, 2) @ motion.turn[:, frame]
        walked = Motion(affine.matrix[:, None], turn[:, None]).parameters(walked, centre)[:, 0]
        torch.testing.assert_close(walked, whole[:, frame], atol=1e-4, rtol=1e-4)


def test_a_turn_is_one_of_the_head_in_every_pose() -> None:
    """Four degrees of yaw at a yaw of 45 degrees and a roll of 20 are four degrees of yaw of the face."""
    angles = torch.deg2rad(torch.tensor([[0.0, 45.0, 0.0], [0.0, 45.0, 20.0]]))
    camera = torch.cat([2 * torch.tensor([1.0, -1, 1])[:, None] * rotation_matrix(*angles.T), torch.ones(2, 3, 1)], 2)
    request = rotation_matrix(0.0, math.radians(4), 0.0).expand(2, 1, 3, 3)
    still = pack(camera, torch.zeros(2, 40), torch.zeros(2, 10))
    moved = Motion(torch.eye(2, 3).expand(2, 1, 2, 3), request).parameters(still, torch.zeros(2, 3))[:, 0]
    after = decompose(unpack(moved).camera)
    torch.testing.assert_close(after.angles[0], torch.deg2rad(torch.tensor([0.0, 49.0, 0.0])), atol=1e-5, rtol=0)
    own = rotation_matrix(*angles.T).transpose(1, 2) @ after.rotation
    torch.testing.assert_close(own, request[:, 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(after.scale, torch.full((2,), 2.0))


def test_steps_stay_in_their_ranges_and_add_up() -> None:
    motion = ShortVideo().motion(300, 120, seeded(3))
    first = Affine(motion.affine[:, 1])
    assert 0.95 <= float(first.scale().min()) < 0.96 and 1.04 < float(first.scale().max()) <= 1.05
    middle = first.apply(torch.full((300, 1, 2), 59.5))[:, 0] - 59.5
    assert 4.8 < float(middle.abs().max()) <= 5.0001
    trace = motion.turn[:, 1].diagonal(dim1=1, dim2=2).sum(1)
    assert 5 < float(torch.rad2deg(((trace - 1) / 2).clamp(max=1).acos()).max()) < 7.1  # two axes of 5 degrees
    spread = motion.affine[:, :, 0, 2].std(0)
    assert 2.2 < float(spread[7] / spread[1]) < 3.2  # the square root of 7


def test_unrelated_frames_are_spread_like_those_of_a_clip_and_have_no_memory() -> None:
    both = {kind: ShortVideo(continuous=kind).motion(2000, 64, seeded(4)) for kind in (True, False)}
    spread = {kind: motion.turn[:, :, 0, 2].std(0) for kind, motion in both.items()}
    torch.testing.assert_close(spread[True][1:], spread[False][1:], rtol=0.1, atol=0)
    memory = {kind: torch.corrcoef(motion.turn[:, 5:7, 0, 2].T)[0, 1].item() for kind, motion in both.items()}
    assert memory[True] > 0.8 and abs(memory[False]) < 0.1
    assert torch.equal(both[False].turn[:, 0], torch.eye(3).expand(2000, 3, 3))


def test_within_the_plane_frames_are_the_affine_warp(mesh: MorphableModel, stills: tuple[Tensor, Tensor]) -> None:
    settings = ShortVideo(turned=False, noise=0, blur=0)
    images, labels = synthesize(*stills, mesh, settings, seeded(5))
    motion = settings.motion(3, SIZE, seeded(5))
    assert images.shape == (3, 8, 3, SIZE, SIZE) and labels.shape == (3, 8, 62)
    assert torch.equal(images[:, 4], Affine(motion.affine[:, 4]).warp(stills[0], SIZE, SIZE))
    turned = replace(settings, turned=True).motion(3, SIZE, seeded(5))
    assert torch.equal(turned.affine, motion.affine)  # the flag changes the turns alone
    bent, _ = synthesize(*stills, mesh, replace(settings, turned=True), seeded(5))
    assert torch.equal(bent[:, 0], images[:, 0]) and (bent[:, 4] - images[:, 4]).abs().mean() > 0.005


def test_no_motion_gives_the_still_again(mesh: MorphableModel, stills: tuple[Tensor, Tensor]) -> None:
    images, labels = synthesize(*stills, mesh, STILL, seeded(6))
    torch.testing.assert_close(images, stills[0][:, None].expand_as(images), atol=1e-4, rtol=0)
    torch.testing.assert_close(labels, stills[1][:, None].expand_as(labels))
    alone, _ = synthesize(*stills, mesh, replace(STILL, frames=1), seeded(6))
    assert torch.equal(alone, stills[0][:, None])


def test_every_frame_is_degraded_by_itself(mesh: MorphableModel, stills: tuple[Tensor, Tensor]) -> None:
    grey = torch.full_like(stills[0], 0.5)
    images, _ = synthesize(grey, stills[1], mesh, replace(STILL, noise=3 / 255), seeded(7))
    noise = (images - 0.5).flatten(2)
    torch.testing.assert_close(noise.std(2), torch.full((3, 8), 3 / 255), rtol=0.05, atol=0)
    assert torch.corrcoef(noise[0])[~torch.eye(8, dtype=torch.bool)].abs().max() < 0.1
    blurred, _ = synthesize(*stills, mesh, replace(STILL, blur=5 / 48), seeded(8))
    sharpness = blurred.diff(dim=4).abs().mean((2, 3, 4))
    assert bool((sharpness <= stills[0].diff(dim=3).abs().mean((1, 2, 3))[:, None] + 1e-4).all())
    assert sharpness.std(1).min() > 1e-4


def test_the_same_generator_gives_the_same_bytes(mesh: MorphableModel, stills: tuple[Tensor, Tensor]) -> None:
    first, again, other = (synthesize(*stills, mesh, ShortVideo(), seeded(seed)) for seed in (9, 9, 10))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"frames": 0}, "frames"),
        ({"scale": (1.1, 0.9)}, "scale"),
        ({"scale": (0.0, 1.0)}, "scale"),
        ({"roll": -1.0}, "roll"),
        ({"turn": math.nan}, "turn"),
        ({"noise": -0.1}, "noise"),
        ({"blur": math.inf}, "blur"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=f"short video {named}: expected"):
        ShortVideo(**settings)


def test_pictures_and_labels_that_do_not_fit_are_refused(mesh: MorphableModel, stills: tuple[Tensor, Tensor]) -> None:
    images, parameters = stills
    unknown = torch.where(torch.arange(62) == 4, torch.nan, parameters)
    for wrong, match in (
        ((images[..., :40], parameters), "images: expected square crops"),
        ((images, parameters[:2]), r"parameters: expected shape \(3, 62\)"),
        ((images, unknown), "mirrored crops and unlabelled faces have none"),
    ):
        with pytest.raises(ValueError, match=match):
            synthesize(*wrong, mesh, ShortVideo(), seeded(0))
    with pytest.raises(ValueError, match="lacks the vertices of landmarks"):
        synthesize(images, parameters, mesh.subset(("lips",)), ShortVideo(), seeded(0))
