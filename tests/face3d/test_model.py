"""The morphable model: what it computes, what it refuses, and its parts."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from facelab.face3d import MorphableModel, vertex_normals

V, KI, KE = 70, 5, 4


@pytest.fixture
def model() -> MorphableModel:
    """A small random model with two regions."""
    g = torch.Generator().manual_seed(1)
    return MorphableModel(
        name="random",
        unit="cm",
        mean=torch.randn(3, V, generator=g),
        identity=torch.randn(KI, 3, V, generator=g),
        expression=torch.randn(KE, 3, V, generator=g),
        identity_std=torch.tensor([3.0, 2.0, 1.0, 0.5, 0.1]),
        expression_std=torch.full((KE,), 0.4),
        expression_range=torch.tensor([[0.0, 1.0], [-1.0, 1.0], [0.0, 1.0], [0.0, 1.0]]),
        expression_names=("open", "side", "blink_left", "blink_right"),
        triangles=torch.stack([torch.arange(V - 2), torch.arange(1, V - 1), torch.arange(2, V)], dim=1),
        uv=torch.rand(V, 2, generator=g),
        region=(torch.arange(V) >= 40).long(),
        region_names=("front", "back"),
        landmarks=torch.arange(68),
        masks={"lips": torch.rand(V, generator=g)},
    )


def test_vertices_are_the_linear_model(model: MorphableModel) -> None:
    g = torch.Generator().manual_seed(2)
    alpha, beta = torch.randn(3, KI, generator=g), torch.randn(3, KE, generator=g)
    made = model.vertices(alpha, beta)
    for face in range(3):
        for vertex in (0, 17, V - 1):
            for axis in range(3):
                value = model.mean[axis, vertex].item()
                value += sum(float(alpha[face, k] * model.identity[k, axis, vertex]) for k in range(KI))
                value += sum(float(beta[face, k] * model.expression[k, axis, vertex]) for k in range(KE))
                assert made[face, vertex, axis].item() == pytest.approx(value, abs=1e-4)


def test_fewer_coefficients_truncate_the_basis(model: MorphableModel) -> None:
    alpha = torch.tensor([[1.0, -2.0, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(model.vertices(alpha[:, :2]), model.vertices(alpha))
    torch.testing.assert_close(model.vertices(alpha[0]), model.vertices(alpha))
    torch.testing.assert_close(model.vertices()[0], model.mean.T)


def test_one_identity_serves_a_batch_of_expressions(model: MorphableModel) -> None:
    beta = torch.eye(KE)
    made = model.vertices(torch.ones(1, KI), beta)
    torch.testing.assert_close(made, model.vertices(torch.ones(KE, KI), beta))


@pytest.mark.parametrize(
    ("identity", "expression", "message"),
    [
        (torch.zeros(1, KI + 1), None, "identity: expected shape"),
        (None, torch.zeros(1, KE + 1), "expression: expected shape"),
        (torch.zeros(2, 1), torch.zeros(3, 1), "expression: expected a batch of 2"),
    ],
)
def test_wrong_coefficients_are_named(
    model: MorphableModel, identity: Tensor | None, expression: Tensor | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        model.vertices(identity, expression)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mean", torch.zeros(3, V, dtype=torch.float64)),
        ("identity", torch.zeros(KI, 3, V + 1)),
        ("expression", torch.zeros(KE, V, 3)),
        ("identity_std", torch.zeros(KI + 1)),
        ("identity_std", torch.full((KI,), -1.0)),
        ("expression_std", torch.zeros(KE - 1)),
        ("expression_range", torch.zeros(KE)),
        ("expression_names", ("open",)),
        ("triangles", torch.full((1, 3), V)),
        ("triangles", torch.zeros(1, 3)),
        ("uv", torch.full((V, 2), 1.5)),
        ("uv", torch.full((V, 2), float("nan"))),
        ("region", torch.full((V,), 2)),
        ("landmarks", torch.arange(67)),
        ("landmarks", torch.full((68,), V)),
        ("masks", {"lips": torch.full((V,), 2.0)}),
    ],
)
def test_a_bad_field_is_named(model: MorphableModel, field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{field}.*expected"):
        dataclasses.replace(model, **{field: value})


def test_samples_repeat_and_stay_in_range(model: MorphableModel) -> None:
    first, second = (model.sample(400, torch.Generator().manual_seed(5)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    identity, expression = first
    assert identity.shape == (400, KI)
    assert expression.shape == (400, KE)
    torch.testing.assert_close(identity.std(0), model.identity_std, rtol=0.15, atol=0)
    low, high = model.expression_range.unbind(1)
    assert bool(((expression >= low) & (expression <= high)).all())
    assert (expression[:, 1] < 0).any()
    used = (expression != 0).float().mean()
    assert 0.22 < used < 0.38


def test_scales_and_symmetry_of_samples(model: MorphableModel) -> None:
    identity, expression = model.sample(
        50, torch.Generator().manual_seed(6), identity_scale=0.0, activity=1.0, symmetry=1.0
    )
    assert not identity.any()
    torch.testing.assert_close(expression[:, 2], expression[:, 3])
    uneven = model.sample(50, torch.Generator().manual_seed(6), activity=1.0, symmetry=0.0)[1]
    assert not torch.equal(uneven[:, 2], uneven[:, 3])
    still = model.sample(50, torch.Generator().manual_seed(6), expression_scale=0.0)[1]
    assert not still.any()


def test_subset_is_the_same_surface(model: MorphableModel) -> None:
    part = model.subset(["front"])
    assert part.mean.shape == (3, 40)
    assert int(part.triangles.max()) < 40
    alpha = torch.ones(1, KI)
    torch.testing.assert_close(part.vertices(alpha), model.vertices(alpha)[:, :40])
    assert part.landmarks[:40].tolist() == list(range(40))
    assert part.landmarks[40:].unique().tolist() == [-1]
    with pytest.raises(ValueError, match="lacks the vertices of landmarks"):
        part.landmarks_of(part.vertices())
    with pytest.raises(ValueError, match=r"regions: expected some of front, back; got nose"):
        model.subset(["nose"])


def test_subset_renumbers_triangles(model: MorphableModel) -> None:
    part = model.subset(["back"])
    inside = model.triangles[(model.triangles >= 40).all(dim=1)]
    assert torch.equal(part.triangles, inside - 40)


def test_chosen_vertices_are_those_of_the_whole_model(model: MorphableModel) -> None:
    chosen = torch.tensor([60, 3, 4, 5, 41])
    part = model.at(chosen)
    alpha, beta = torch.ones(2, KI), torch.ones(2, KE)
    torch.testing.assert_close(part.vertices(alpha, beta), model.vertices(alpha, beta)[:, chosen])
    assert part.triangles.tolist() == [[1, 2, 3]]  # the only one whose corners, 3, 4 and 5, are all there
    assert part.landmarks[60] == 0 and part.landmarks[3] == 1 and part.landmarks[0] == -1
    assert torch.equal(part.uv, model.uv[chosen]) and torch.equal(part.masks["lips"], model.masks["lips"][chosen])
    assert part.region.tolist() == [1, 0, 0, 0, 1]


def test_bad_choices_of_vertices_are_named(model: MorphableModel) -> None:
    with pytest.raises(ValueError, match=rf"vertices: expected values from 0 to {V - 1}, got {V}"):
        model.at(torch.tensor([0, V]))
    with pytest.raises(ValueError, match="vertices: expected torch.int64"):
        model.at(torch.ones(V, dtype=torch.bool))


def test_the_landmark_model_is_the_landmarks(model: MorphableModel) -> None:
    order = dataclasses.replace(model, landmarks=torch.arange(67, -1, -1))
    small = order.landmark_model()
    assert small.mean.shape == (3, 68) and small is order.landmark_model()
    alpha, beta = torch.ones(2, KI), torch.ones(2, KE)
    torch.testing.assert_close(small.vertices(alpha, beta), order.landmarks_of(order.vertices(alpha, beta)))
    torch.testing.assert_close(small.landmarks_of(small.vertices()), small.vertices())
    with pytest.raises(ValueError, match="lacks the vertices of landmarks"):
        model.subset(["front"]).landmark_model()


def test_landmarks_of_checks_the_number_of_vertices(model: MorphableModel) -> None:
    torch.testing.assert_close(model.landmarks_of(model.vertices()), model.mean.T[None, :68])
    with pytest.raises(ValueError, match=r"vertices: expected shape \(B, 70, 3\)"):
        model.landmarks_of(torch.zeros(1, 3, 3))


def test_to_keeps_every_field(model: MorphableModel) -> None:
    moved = model.to("cpu")
    torch.testing.assert_close(moved.vertices(), model.vertices())
    assert moved.masks.keys() == model.masks.keys()


def test_normals_of_a_sphere_point_outwards() -> None:
    # An octahedron: by symmetry the normal of each corner is the corner itself.
    corners = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    triangles = torch.tensor([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
    torch.testing.assert_close(vertex_normals(corners, triangles), corners)
    torch.testing.assert_close(vertex_normals(corners.expand(2, -1, -1), triangles)[1], corners)


def test_normals_weigh_triangles_by_area() -> None:
    vertices = torch.tensor([[0.0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, -1.0]])
    triangles = torch.tensor([[0, 1, 2], [0, 3, 1]])  # areas 2 and 1
    expected = torch.nn.functional.normalize(torch.tensor([0.0, -1.0, 2.0]), dim=0) * torch.tensor([1, -1, 1])
    made = vertex_normals(vertices, triangles)[0]
    torch.testing.assert_close(made.abs(), expected.abs())
    assert not vertex_normals(torch.zeros(4, 3), triangles).any()
