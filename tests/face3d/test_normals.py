"""Vertex normals against trimesh, and the compiled loops against the tensor operations."""

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from facelab.face3d import builtin_face, vertex_normals


def _noisy_ball() -> tuple[Tensor, Tensor]:
    ball = trimesh.creation.icosphere(subdivisions=3)
    noise = 0.02 * torch.randn(len(ball.vertices), 3, generator=torch.Generator().manual_seed(0))
    return torch.from_numpy(np.array(ball.vertices)).float() + noise, torch.from_numpy(np.array(ball.faces)).long()


def test_same_as_trimesh_weighted_by_area() -> None:
    vertices, triangles = _noisy_ball()
    mesh = trimesh.Trimesh(vertices.numpy(), triangles.numpy(), process=False)
    summed = mesh.faces_sparse.dot(mesh.face_normals * mesh.area_faces[:, None])
    expected = trimesh.util.unitize(summed)
    np.testing.assert_allclose(vertex_normals(vertices, triangles), expected, atol=2e-5)


def test_compiled_loops_agree_with_tensor_operations() -> None:
    face = builtin_face().subset(("face", "lips", "scalp", "neck"))  # sums cancel in what lies folded up
    vertices = face.vertices(*face.sample(3, torch.Generator().manual_seed(1)))
    compiled = vertex_normals(vertices, face.triangles)
    with_gradient = vertex_normals(vertices.clone().requires_grad_(), face.triangles)
    assert with_gradient.requires_grad and not compiled.requires_grad
    torch.testing.assert_close(compiled, with_gradient.detach(), atol=1e-5, rtol=0)


def test_the_gradient_is_that_of_the_normal() -> None:
    vertices = torch.rand(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2), requires_grad=True)
    triangles = torch.tensor([[0, 1, 2], [0, 2, 3], [1, 2, 3]])  # no triangle has vertex 4
    assert torch.autograd.gradcheck(lambda v: vertex_normals(v, triangles), (vertices,))


def test_batches_int32_and_vertices_without_triangle() -> None:
    vertices, triangles = _noisy_ball()
    vertices = torch.cat([vertices, torch.zeros(1, 3)])
    single = vertex_normals(vertices, triangles)
    assert not single[-1].any()
    torch.testing.assert_close(single[:-1].norm(dim=1), torch.ones(len(vertices) - 1))
    batch = vertex_normals(torch.stack([vertices, 3 * vertices]), triangles.int())
    torch.testing.assert_close(batch, single.expand(2, -1, -1), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("vertices", "triangles", "message"),
    [
        (torch.zeros(4, 2), torch.zeros(1, 3, dtype=torch.int64), "vertices: expected shape"),
        (torch.zeros(4, 3), torch.zeros(1, 3), "triangles: expected int64"),
        (torch.zeros(4, 3), torch.tensor([[0, 1, 4]]), "triangles: expected indices from 0 to 3"),
        (torch.zeros(4, 3), torch.tensor([[0, 1, -1]]), "triangles: expected indices from 0 to 3"),
    ],
)
def test_bad_meshes_are_named(vertices: Tensor, triangles: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        vertex_normals(vertices, triangles)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_agrees_with_the_cpu() -> None:
    vertices, triangles = _noisy_ball()
    on_card = vertex_normals(vertices.cuda(), triangles.cuda()).cpu()
    torch.testing.assert_close(on_card, vertex_normals(vertices, triangles), atol=1e-5, rtol=0)
