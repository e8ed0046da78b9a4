"""VDC: in closed form, and by its definition."""

import pytest
import torch
from torch import Tensor

from facelab.face3d.parameters import pack, project
from facelab.losses import ShapeGram, vdc, vdc_of_vertices
from facelab.losses.vertices import mesh
from tests.losses.random_faces import Faces


def _value_and_gradient(loss: object, predicted: Tensor, *others: object) -> tuple[Tensor, Tensor]:
    leaf = predicted.clone().requires_grad_()
    value = loss(leaf, *others)  # type: ignore[operator]
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


def _off(value: Tensor, wanted: Tensor) -> float:
    """Largest difference, parameter by parameter, as a share of what is wanted: their sizes differ by 1e9."""
    largest = wanted.abs().amax(0).clamp(min=1e-300)
    return float(((value - wanted).abs().amax(0) / largest).max())


def test_a_shift_costs_its_square(faces: Faces) -> None:
    predicted = faces.target.clone()
    predicted[:, 3] += 3.0
    predicted[:, 7] -= 4.0
    predicted[:, 11] += 100.0  # the depth, which no picture shows
    for costs in (
        vdc(predicted, faces.target, ShapeGram.of(faces.model, torch.float64), reduction="none"),
        vdc_of_vertices(predicted, faces.target, faces.model, reduction="none"),
    ):
        torch.testing.assert_close(costs, torch.full_like(costs, 25.0), rtol=1e-9, atol=0)


def test_the_mesh_is_that_of_the_package(faces: Faces) -> None:
    wanted = project(faces.model, faces.target.float()).transpose(1, 2)
    torch.testing.assert_close(mesh(faces.model, faces.target).float(), wanted, rtol=1e-5, atol=1e-4)


def test_it_is_the_distance_of_the_vertices(faces: Faces) -> None:
    """Of what the package draws, once the depths agree."""
    predicted = faces.predicted.clone()
    predicted[:, 11] = faces.target[:, 11]
    apart = project(faces.model, predicted.float()) - project(faces.model, faces.target.float())
    wanted = apart.square().sum(2).mean(1)
    got = vdc(faces.predicted.float(), faces.target.float(), ShapeGram.of(faces.model), reduction="none")
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=0)


@pytest.mark.parametrize("error", [1.0, 0.1, 1e-3])
def test_both_forms_agree(faces: Faces, error: float) -> None:
    """In value and gradient; the closed form in single precision too, for small errors as for large ones."""
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-5)):
        predicted, target = faces.off(error).to(dtype), faces.target.to(dtype)
        wanted = _value_and_gradient(vdc_of_vertices, predicted.double(), target.double(), faces.model)
        got = _value_and_gradient(vdc, predicted, target, ShapeGram.of(faces.model, dtype))
        torch.testing.assert_close(got[0].double(), wanted[0], rtol=tolerance, atol=0)
        assert _off(got[1].double(), wanted[1]) < tolerance


def test_depth_and_missing_modes_have_no_gradient(small: Faces) -> None:
    for loss, what in ((vdc, ShapeGram.of(small.model)), (vdc_of_vertices, small.model)):
        _, gradient = _value_and_gradient(loss, small.predicted, small.target, what)
        blind = [11, *range(12 + len(small.model.identity), 52), *range(52 + len(small.model.expression), 62)]
        assert not gradient[:, blind].any()
        assert gradient[:, [place for place in range(62) if place not in blind]].all()


def test_the_small_model_has_the_distances_of_the_whole(faces: Faces) -> None:
    gram = ShapeGram.of(faces.model, torch.float64)
    assert gram.mean.shape[1] == min(154, faces.model.mean.shape[1]) and gram.modes.shape[:2] == (50, 4)
    identity, expression = faces.target[:, 12:52], faces.target[:, 52:]
    still = pack(torch.eye(3, 4, dtype=torch.float64).expand(len(identity), -1, -1), identity, expression)
    whole, small = mesh(faces.model, still), gram.shape(still)
    torch.testing.assert_close(small[:, :3].norm(dim=2), whole.norm(dim=2) / whole.shape[2] ** 0.5, rtol=1e-10, atol=0)
    torch.testing.assert_close(small[:, 3].norm(dim=1), torch.ones(len(small), dtype=torch.float64))


def test_it_moves_to_a_device(small: Faces) -> None:
    moved = ShapeGram.of(small.model).to("meta")
    assert moved.mean.device.type == moved.modes.device.type == "meta"
