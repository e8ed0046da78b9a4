"""Meshes to OBJ and PLY, read back by an independent program."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from facelab.face3d import write_obj, write_ply

trimesh = pytest.importorskip("trimesh")


@pytest.fixture
def mesh() -> tuple[Tensor, Tensor]:
    vertices = 10 * torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    start = torch.arange(28)
    return vertices, torch.stack([start, start + 1, start + 2], dim=1)


def test_obj_comes_back(tmp_path: Path, mesh: tuple[Tensor, Tensor]) -> None:
    vertices, triangles = mesh
    uv = torch.rand(30, 2, generator=torch.Generator().manual_seed(1))
    read = trimesh.load(write_obj(tmp_path / "face.obj", vertices, triangles, uv), process=False, maintain_order=True)
    np.testing.assert_allclose(read.vertices, vertices.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(read.faces, triangles.numpy())
    np.testing.assert_allclose(read.visual.uv, uv.numpy(), atol=1e-5)


def test_obj_without_texture_coordinates(tmp_path: Path, mesh: tuple[Tensor, Tensor]) -> None:
    vertices, triangles = mesh
    read = trimesh.load(write_obj(tmp_path / "face.obj", vertices, triangles), process=False, maintain_order=True)
    np.testing.assert_array_equal(read.faces, triangles.numpy())


def test_textured_obj_comes_back(tmp_path: Path, mesh: tuple[Tensor, Tensor]) -> None:
    """Rows of the picture run downwards while v runs upwards; red comes before blue."""
    vertices, triangles = mesh
    texture = torch.rand(3, 7, 5, generator=torch.Generator().manual_seed(3))
    column, row = torch.arange(30) % 5, torch.arange(30) % 7
    uv = torch.stack([(column + 0.5) / 5, 1 - (row + 0.5) / 7], 1)
    path = write_obj(tmp_path / "face.obj", vertices, triangles, uv, texture)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["face.mtl", "face.obj", "face.png"]
    read = trimesh.load(path, process=False, maintain_order=True)
    np.testing.assert_array_equal(read.faces, triangles.numpy())
    np.testing.assert_allclose(read.visual.uv, uv.numpy(), atol=1e-5)
    picture = np.asarray(read.visual.material.image.convert("RGB"))
    np.testing.assert_array_equal(picture, (255 * texture).round().permute(1, 2, 0).numpy())
    # trimesh rounds a texture coordinate down to a texel
    np.testing.assert_array_equal(read.visual.to_color().vertex_colors[:, :3], picture[row, column])


def test_textured_obj_can_be_moved(tmp_path: Path, mesh: tuple[Tensor, Tensor]) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    write_obj(folder / "a.obj", *mesh, torch.rand(30, 2), torch.full((3, 2, 2), 0.2))
    moved = folder.rename(tmp_path / "there")
    read = trimesh.load(moved / "a.obj", process=False)
    assert np.asarray(read.visual.material.image.convert("RGB")).ravel().tolist() == [51] * 12


def test_ply_comes_back(tmp_path: Path, mesh: tuple[Tensor, Tensor]) -> None:
    vertices, triangles = mesh
    colours = torch.rand(30, 3, generator=torch.Generator().manual_seed(2))
    read = trimesh.load(write_ply(tmp_path / "face.ply", vertices, triangles, colours), process=False)
    np.testing.assert_array_equal(read.vertices.astype(np.float32), vertices.numpy())
    np.testing.assert_array_equal(read.faces, triangles.numpy())
    np.testing.assert_array_equal(read.visual.vertex_colors[:, :3], (colours * 255).round().numpy())
    plain = trimesh.load(write_ply(tmp_path / "plain.ply", vertices, triangles), process=False)
    np.testing.assert_array_equal(plain.faces, triangles.numpy())


def test_bad_meshes_are_refused(tmp_path: Path, mesh: tuple[Tensor, Tensor]) -> None:
    vertices, triangles = mesh
    with pytest.raises(ValueError, match=r"vertices: expected shape \(V, 3\)"):
        write_obj(tmp_path / "a.obj", vertices[None], triangles)
    with pytest.raises(ValueError, match="triangles: expected int64"):
        write_ply(tmp_path / "a.ply", vertices, triangles.float())
    with pytest.raises(ValueError, match="triangles: expected indices from 0 to 29"):
        write_ply(tmp_path / "a.ply", vertices, triangles + 1)
    with pytest.raises(ValueError, match="uv: expected shape"):
        write_obj(tmp_path / "a.obj", vertices, triangles, torch.zeros(3, 2))
    texture = torch.zeros(3, 4, 4)
    with pytest.raises(ValueError, match="uv: expected texture coordinates beside a texture"):
        write_obj(tmp_path / "a.obj", vertices, triangles, texture=texture)
    with pytest.raises(ValueError, match=r"texture: expected shape \(3, H, W\), got \(1, 3, 4, 4\)"):
        write_obj(tmp_path / "a.obj", vertices, triangles, torch.zeros(30, 2), texture[None])
    with pytest.raises(ValueError, match=r"a b\.obj: OBJ separates names by blanks"):
        write_obj(tmp_path / "a b.obj", vertices, triangles, torch.zeros(30, 2), texture)
    with pytest.raises(ValueError, match="colours: expected shape"):
        write_ply(tmp_path / "a.ply", vertices, triangles, torch.zeros(3, 3))
    with pytest.raises(FileNotFoundError, match="expected an existing folder"):
        write_obj(tmp_path / "missing" / "a.obj", vertices, triangles)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_keeps_the_old_file(
    tmp_path: Path, mesh: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_obj(tmp_path / "face.obj", *mesh)
    before = path.read_bytes()

    def disk_full(self: Path, content: bytes) -> int:
        with open(self, "wb") as stream:
            stream.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(OSError, match="No space left"):
        write_obj(path, mesh[0] + 1, mesh[1])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["face.obj"]
