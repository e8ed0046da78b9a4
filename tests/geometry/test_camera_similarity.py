"""The camera's two forms, and a similarity that is known."""

import pytest
import torch

from facelab.geometry import Similarity, WeakPerspective, rotation_matrix, similarity


def _camera() -> WeakPerspective:
    pose = torch.tensor([[0.1, 0.7, -0.2], [0.0, -1.2, 0.3]])
    return WeakPerspective(
        torch.tensor([5.0, 8.0]), rotation_matrix(*pose.unbind(1)), torch.tensor([[60.0, 70.0], [1, 2]])
    )


def test_projection_is_the_matrix() -> None:
    points = torch.randn(2, 9, 3, generator=torch.Generator().manual_seed(0))
    camera = _camera()
    homogeneous = torch.nn.functional.pad(points, (0, 1), value=1.0)
    torch.testing.assert_close(camera.project(points), homogeneous @ camera.matrix().transpose(1, 2))


def test_image_y_points_down_and_z_to_the_viewer() -> None:
    camera = WeakPerspective(torch.tensor([2.0]), torch.eye(3)[None], torch.tensor([[10.0, 20.0]]))
    projected = camera.project(torch.tensor([[[1.0, 3.0, 4.0]]]))
    assert projected.tolist() == [[[12.0, 14.0, 8.0]]]


def test_depth_is_shifted_when_the_camera_says_so() -> None:
    flat = WeakPerspective(torch.tensor([2.0]), torch.eye(3)[None], torch.tensor([[10.0, 20.0]]))
    deep = WeakPerspective(flat.scale, flat.rotation, torch.tensor([[10.0, 20.0, 5.0]]))
    points = torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(3))
    shift = torch.tensor([0.0, 0.0, 5.0]).expand(1, 4, 3)
    torch.testing.assert_close(deep.project(points) - flat.project(points), shift)
    assert deep.matrix()[0, :, 3].tolist() == [10, 20, 5]


def test_camera_names_the_wrong_field() -> None:
    with pytest.raises(ValueError, match=r"camera translation: expected shape \(1, 2\) or \(1, 3\), got \(1, 4\)"):
        WeakPerspective(torch.ones(1), torch.eye(3)[None], torch.zeros(1, 4))
    with pytest.raises(ValueError, match=r"camera matrix: expected shape \(B, 3, 4\)"):
        WeakPerspective.from_matrix(torch.zeros(3, 4))


def test_a_matrix_gives_its_camera_back() -> None:
    camera = _camera()
    found = WeakPerspective.from_matrix(camera.matrix())
    torch.testing.assert_close(found.scale, camera.scale)
    torch.testing.assert_close(found.rotation, camera.rotation)
    torch.testing.assert_close(found.translation[:, :2], camera.translation)


def test_any_matrix_gives_a_rotation_and_gradients() -> None:
    matrix = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(4), requires_grad=True)
    found = WeakPerspective.from_matrix(matrix)
    eye = torch.eye(3).expand(5, 3, 3)
    torch.testing.assert_close(found.rotation @ found.rotation.transpose(1, 2), eye, atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.det(found.rotation), torch.ones(5))
    found.matrix().square().sum().backward()
    assert matrix.grad is not None and bool(torch.isfinite(matrix.grad).all())


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_known_similarity_is_recovered(dimensions: int) -> None:
    generator = torch.Generator().manual_seed(1)
    source = torch.randn(4, 12, dimensions, generator=generator, dtype=torch.float64)
    q, _ = torch.linalg.qr(torch.randn(4, dimensions, dimensions, generator=generator, dtype=torch.float64))
    q[:, :, 0] *= torch.det(q).sign()[:, None]
    known = Similarity(torch.tensor([0.5, 1.0, 2.0, 7.0], dtype=torch.float64), q, torch.randn(4, dimensions).double())
    found = similarity(source, known.apply(source))
    for got, expected in zip(found, known, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-10, rtol=0)


def test_no_reflection_and_no_better_neighbour() -> None:
    generator = torch.Generator().manual_seed(2)
    source = torch.randn(1, 10, 3, generator=generator, dtype=torch.float64)
    target = source * source.new_tensor([-1.0, 1.0, 1.0])  # a mirror image
    found = similarity(source, target)
    assert float(torch.det(found.rotation)) == pytest.approx(1.0)
    best = float((found.apply(source) - target).square().sum())
    for _ in range(50):
        angles = 0.02 * torch.randn(3, generator=generator, dtype=torch.float64)
        near = found._replace(rotation=rotation_matrix(*angles)[None] @ found.rotation)
        assert float((near.apply(source) - target).square().sum()) >= best - 1e-12


def test_coinciding_points_are_refused() -> None:
    with pytest.raises(ValueError, match="coincide"):
        similarity(torch.ones(1, 5, 2), torch.rand(1, 5, 2))
    with pytest.raises(ValueError, match="expected two"):
        similarity(torch.ones(5, 2), torch.ones(5, 2))
