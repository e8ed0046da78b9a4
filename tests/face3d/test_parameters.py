"""The 62 parameters: packing, cameras, whitening, the pixels of 300W-LP, and crops."""

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from facelab.face3d import MorphableModel, ParameterStatistics, builtin_face, landmarks_of_parameters
from facelab.face3d.parameters import (
    camera_from_pose_para,
    compose,
    crop,
    decompose,
    from_y_up,
    pack,
    pose_para_from_camera,
    project,
    to_y_up,
    unpack,
)
from facelab.geometry import Affine, WeakPerspective, rotation_matrix


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cameras() -> Tensor:
    """Poses all round, beyond the profile too."""
    yaws = torch.linspace(-179, 179, 23, dtype=torch.float64).deg2rad()
    angles = torch.stack([0.5 * random(23).tanh(), yaws, 2 * random(23, seed=1).tanh()], 1)
    return compose(random(23, seed=2).exp(), angles, 100 * random(23, 3, seed=3))


def test_the_order_of_the_numbers() -> None:
    packed = pack(torch.arange(12.0).reshape(1, 3, 4), torch.arange(12.0, 52)[None], torch.arange(52.0, 62)[None])
    assert packed[0].tolist() == list(range(62))
    parts = unpack(packed)
    assert parts.camera[0, 1].tolist() == [4, 5, 6, 7]
    assert parts.identity[0, 0] == 12 and parts.expression[0, -1] == 61


def test_long_bases_are_cut_and_short_ones_filled() -> None:
    camera = random(2, 3, 4)
    long = unpack(pack(camera, random(2, 199), random(2, 29)))
    torch.testing.assert_close(long.identity, random(2, 199)[:, :40])
    short = unpack(pack(camera, random(2, 24), random(2, 0)))
    torch.testing.assert_close(short.identity[:, :24], random(2, 24))
    assert not short.identity[:, 24:].any() and not short.expression.any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pack(random(2, 4, 3), random(2, 40), random(2, 10)), r"camera: expected shape \(B, 3, 4\)"),
        (lambda: pack(random(2, 3, 4), random(3, 40), random(2, 10)), r"identity: expected shape \(2, k\)"),
        (lambda: unpack(random(2, 61)), r"parameters: expected shape \(B, 62\), got \(2, 61\)"),
        (lambda: camera_from_pose_para(random(2, 6), 450), r"Pose_Para: expected shape \(B, 7\)"),
    ],
)
def test_wrong_shapes_are_named(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()


def test_decompose_undoes_compose_at_every_yaw() -> None:
    camera = cameras()
    found = decompose(camera)
    torch.testing.assert_close(compose(found.scale, found.angles, found.translation), camera)
    torch.testing.assert_close(found.rotation, rotation_matrix(*found.angles.unbind(1)))
    assert found.angles[:, 1].abs().max() > math.radians(170)
    assert found.angles[:, 0].abs().max() < math.radians(45)  # the pitch that went in, not its other triple


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_angles_about_the_profile_are_those_of_scipy(side: int, dtype: torch.dtype) -> None:
    """Every degree of yaw from 80 to 100, with pitch and roll: the matrix by SciPy, the angles by us."""
    grid = torch.cartesian_prod(torch.tensor([-40.0, 0, 25]), side * torch.arange(80.0, 101), torch.tensor([-30.0, 20]))
    exact = grid[(grid[:, 1].abs() - 90).abs() > 0.5].double()  # pitch and roll fall together at the profile itself
    turned = torch.from_numpy(Rotation.from_euler("XYZ", -exact.numpy(), degrees=True).as_matrix())
    camera = torch.cat([torch.diag(torch.tensor([3.0, -3.0, 3.0])).double() @ turned, random(len(exact), 3, 1)], 2)
    found = decompose(camera.to(dtype))
    torch.testing.assert_close(found.angles.rad2deg(), exact.to(dtype), atol=1e-2, rtol=0)
    back = Rotation.from_euler("XYZ", -found.angles.double().numpy()).as_matrix()
    np.testing.assert_allclose(back, turned.numpy(), atol=1e-5)


@pytest.mark.parametrize("yaw", [-90.0, 90.0])
def test_the_full_profile_keeps_its_rotation(yaw: float) -> None:
    angles = torch.tensor([[25.0, yaw, -30.0]], dtype=torch.float64).deg2rad()
    camera = compose(torch.ones(1).double(), angles, torch.zeros(1, 3).double())
    found = decompose(camera)
    assert math.degrees(float(found.angles[0, 1])) == pytest.approx(yaw)
    expected = Rotation.from_euler("XYZ", -angles[0].numpy()).as_matrix()
    np.testing.assert_allclose(Rotation.from_euler("XYZ", -found.angles[0].numpy()).as_matrix(), expected, atol=1e-7)


def test_projection_is_that_of_the_camera() -> None:
    model = builtin_face()
    camera = WeakPerspective(
        torch.tensor([5.0]), rotation_matrix(0.1, 2.0, 0.2)[None], torch.tensor([[60.0, 70.0, 3.0]])
    )
    identity, expression = model.sample(1, torch.Generator().manual_seed(0))
    points = project(model, pack(camera.matrix(), identity, expression))
    torch.testing.assert_close(points, camera.project(model.vertices(identity[:, :40], expression[:, :10])))


def test_a_model_with_fewer_modes_is_projected() -> None:
    model = builtin_face()
    few = MorphableModel(**(vars(model) | {"identity": model.identity[:7], "identity_std": model.identity_std[:7]}))
    parameters = pack(torch.eye(3, 4)[None], torch.ones(1, 40), torch.zeros(1, 10))
    torch.testing.assert_close(project(few, parameters), model.vertices(torch.ones(1, 7)))


def test_landmarks_cost_their_vertices_alone() -> None:
    model = builtin_face()
    identity, expression = model.sample(4, torch.Generator().manual_seed(1))
    parameters = pack(cameras()[:4].float(), identity, expression)
    landmarks = landmarks_of_parameters(model, parameters)
    torch.testing.assert_close(landmarks, model.landmarks_of(project(model, parameters)), atol=1e-3, rtol=1e-5)
    with pytest.raises(ValueError, match="lacks the vertices of landmarks"):
        landmarks_of_parameters(model.subset(["ears"]), parameters)


def test_gradients_reach_the_parameters() -> None:
    model = builtin_face()
    parameters = pack(cameras().float()[:3], torch.zeros(3, 40), torch.zeros(3, 10)).requires_grad_()
    points = project(model, parameters)
    (points.square().mean() + decompose(unpack(parameters).camera).angles.sum()).backward()
    assert parameters.grad is not None and bool((parameters.grad[:, :12] != 0).all())
    assert bool(torch.isfinite(parameters.grad).all()) and bool((parameters.grad[:, 12:] != 0).any(0).all())


def affines() -> dict[str, Affine]:
    count = len(cameras())
    centre, side = 100 * random(count, 2, seed=4), 50 + 40 * random(count, seed=5).tanh()
    mirror = torch.arange(count) % 2 == 0
    about = Affine.about(centre, random(count, seed=6), random(count, seed=7).exp(), 9 * random(count, 2), mirror)
    window = Affine.crop(centre, side, 120)
    return {"crop": window, "about": about, "both": window @ about}


@pytest.mark.parametrize("name", ["crop", "about", "both"])
def test_a_cropped_camera_projects_into_the_crop(name: str) -> None:
    camera, affine = cameras(), affines()[name]
    points = random(len(camera), 30, 3, seed=8)

    def projected(matrix: Tensor) -> Tensor:
        return points @ matrix[:, :, :3].transpose(1, 2) + matrix[:, None, :, 3]

    torch.testing.assert_close(projected(crop(camera, affine)), affine.apply(projected(camera)))


def test_a_crop_changes_scale_and_place_and_no_angle() -> None:
    camera = cameras()
    window = affines()["crop"]
    before, after = decompose(camera), decompose(crop(camera, window))
    torch.testing.assert_close(after.angles, before.angles)
    torch.testing.assert_close(after.scale, before.scale * window.scale())


def test_pose_para_round_trip() -> None:
    angles = decompose(cameras()).angles
    pose = torch.cat([angles, 200 * random(23, 3), 1e-3 * random(23, 1).exp()], 1)
    torch.testing.assert_close(pose_para_from_camera(camera_from_pose_para(pose, 450), 450), pose)


def test_pixels_of_300w_lp() -> None:
    camera = cameras()
    heights = torch.linspace(100, 500, len(camera), dtype=torch.float64)
    point = random(len(camera), 3, 1, seed=9)

    def at(matrix: Tensor) -> Tensor:
        return (matrix[:, :, :3] @ point)[:, :, 0] + matrix[:, :, 3]

    ours, theirs = at(from_y_up(camera, heights)), at(camera)
    torch.testing.assert_close(ours, torch.stack([theirs[:, 0] - 1, heights - theirs[:, 1], theirs[:, 2]], 1))
    torch.testing.assert_close(to_y_up(from_y_up(camera, heights), heights), camera)


def test_real_poses_agree_with_real_landmarks(real_data: Path) -> None:
    """The camera of a file must take some rigid face to its 68 points: fitted on one picture, tried on the others."""
    points, matrices = [], []
    for path in sorted((real_data / "real" / "AFLW2000").glob("*.mat")):
        content = scipy.io.loadmat(path, variable_names=["pt3d_68", "Pose_Para"])
        pose = torch.from_numpy(content["Pose_Para"].astype(np.float64))
        matrices.append(camera_from_pose_para(pose, 450)[0])
        points.append(torch.from_numpy(content["pt3d_68"].astype(np.float64)).T - torch.tensor([1.0, 1.0, 0.0]))
    assert len(points) > 1
    shapes = [
        (p - m[:, 3]) @ torch.linalg.inv(m[:, :3]).T for p, m in zip(points, matrices, strict=True)
    ]  # back into the space of the face model, where people are much alike
    mean = torch.stack(shapes).mean(0)
    size = (mean[:, :2].amax(0) - mean[:, :2].amin(0)).prod().sqrt()
    errors = [float((shape - mean).norm(dim=1).mean() / size) for shape in shapes]
    assert max(errors) < 0.04
    assert mean[36, 0] < mean[45, 0] and mean[8, 1] < mean[27, 1] and mean[30, 2] == mean[:, 2].max()


def statistics() -> tuple[ParameterStatistics, Tensor]:
    parameters = (random(50, 62) * torch.logspace(-1, 5, 62) + torch.linspace(-300, 300, 62)).float()
    parameters[:, 11] = 0.1  # a depth that never varies
    return ParameterStatistics.fit(parameters), parameters


def test_whitening() -> None:
    found, parameters = statistics()
    white = found.whiten(parameters)
    varied = torch.arange(62) != 11
    torch.testing.assert_close(white.mean(0), torch.zeros(62), atol=1e-3, rtol=0)
    torch.testing.assert_close(white.std(0, correction=0)[varied], torch.ones(61), atol=1e-3, rtol=0)
    assert found.std[11] == 0 and not white[:, 11].any()
    torch.testing.assert_close(found.unwhiten(white), parameters, atol=1e-3, rtol=1e-4)


def test_a_parameter_that_never_varies_goes_back_to_its_mean() -> None:
    found, _ = statistics()
    assert found.unwhiten(torch.full((1, 62), 7.0))[0, 11] == found.mean[11] == pytest.approx(0.1)


def test_unknown_faces_do_not_count() -> None:
    found, parameters = statistics()
    with_unknown = torch.cat([parameters, torch.full((3, 62), torch.nan)])
    torch.testing.assert_close(ParameterStatistics.fit(with_unknown).std, found.std)
    with pytest.raises(ValueError, match="at least 2 faces with finite parameters, got 1"):
        ParameterStatistics.fit(with_unknown[49:])


def test_statistics_survive_their_file(tmp_path: Path) -> None:
    found, _ = statistics()
    again = ParameterStatistics.load(found.save(tmp_path / "whitening.safetensors"))
    assert torch.equal(again.mean, found.mean) and torch.equal(again.std, found.std)
    assert [path.name for path in tmp_path.iterdir()] == ["whitening.safetensors"]


def test_bad_statistics_are_named(tmp_path: Path) -> None:
    path = tmp_path / "whitening.safetensors"
    with pytest.raises(FileNotFoundError, match="no such file"):
        ParameterStatistics.load(path)
    found, _ = statistics()
    found.save(path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"whitening\.safetensors: expected 'mean' and 'std'"):
        ParameterStatistics.load(path)
    with pytest.raises(FileNotFoundError, match="expected an existing folder"):
        found.save(tmp_path / "absent" / "a.safetensors")
    with pytest.raises(ValueError, match="std: expected no negative"):
        ParameterStatistics(torch.zeros(62), -torch.ones(62))
    with pytest.raises(ValueError, match=r"mean: expected finite numbers of shape \(62,\), got \(61,\)"):
        ParameterStatistics(torch.zeros(61), torch.ones(62))
