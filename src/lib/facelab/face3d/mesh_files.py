"""Meshes to files that other programs read: Wavefront OBJ (text) and PLY (binary)."""

import os
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_MATERIAL = "face"
_PLY_FACE = np.dtype([("count", "u1"), ("corners", "<i4", 3)])


def write_obj(
    path: str | os.PathLike[str],
    vertices: Tensor,
    triangles: Tensor,
    uv: Tensor | None = None,
    texture: Tensor | None = None,
) -> Path:
    """Write a mesh as Wavefront OBJ.

    With a texture, a material file and a picture of the same name (``.mtl``, ``.png``) are written beside it. The
    files name each other without a folder, so that all three can be moved together.

    Args:
        vertices: (V, 3). triangles: (F, 3) int64, counted from 0 (the file counts from 1).
        uv: (V, 2) texture coordinates, one a vertex: (0, 0) is the lower left corner of the picture, (1, 1) the upper
            right one.
        texture: (3, H, W) RGB in [0, 1].
    Raises:
        ValueError: on a wrong shape, a corner that is no vertex, a texture without ``uv``, or a file name that the
            format cannot hold.
        FileNotFoundError: without the folder.
    """
    _check_mesh(vertices, triangles)
    target = Path(path)
    points = _lines("v %.6g %.6g %.6g\n", vertices.detach().cpu().numpy())
    corners = triangles.cpu().numpy() + 1
    if uv is None:
        if texture is not None:
            raise ValueError("uv: expected texture coordinates beside a texture, got None")
        return _replace_file(target, (points + _lines("f %d %d %d\n", corners)).encode("ascii"))
    if uv.shape != (len(vertices), 2):
        raise ValueError(f"uv: expected shape {(len(vertices), 2)}, got {tuple(uv.shape)}")
    places = _lines("vt %.6g %.6g\n", uv.detach().cpu().numpy())
    faces = _lines("f %d/%d %d/%d %d/%d\n", corners.repeat(2, axis=1))
    library, use = "", ""
    if texture is not None:
        # The mesh comes last: it never names a file that is not there yet.
        library, use = f"mtllib {_write_material(target, texture).name}\n", f"usemtl {_MATERIAL}\n"
    return _replace_file(target, (library + points + places + use + faces).encode())


def _write_material(mesh: Path, texture: Tensor) -> Path:
    """Writes the picture and the material file that belong to a mesh; the latter's path."""
    if texture.ndim != 3 or len(texture) != 3 or not texture.numel():
        raise ValueError(f"texture: expected shape (3, H, W), got {tuple(texture.shape)}")
    if any(letter.isspace() for letter in mesh.stem):
        raise ValueError(f"{mesh}: OBJ separates names by blanks; expected a file name without any beside a texture")
    colours = (texture.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    written, content = cv2.imencode(".png", np.ascontiguousarray(colours[::-1].transpose(1, 2, 0)))  # OpenCV has BGR
    if not written:
        raise ValueError(f"texture: a picture of shape {tuple(texture.shape)} could not be encoded as PNG")
    picture = _replace_file(mesh.with_suffix(".png"), content.tobytes())
    lines = [f"newmtl {_MATERIAL}", "Ka 1 1 1", "Kd 1 1 1", "Ks 0 0 0", "illum 1", f"map_Kd {picture.name}", ""]
    return _replace_file(mesh.with_suffix(".mtl"), "\n".join(lines).encode())


def write_ply(path: str | os.PathLike[str], vertices: Tensor, triangles: Tensor, colours: Tensor | None = None) -> Path:
    """Write a mesh as binary little-endian PLY; arguments and errors as of :func:`facelab.face3d.ply_bytes`."""
    return _replace_file(Path(path), ply_bytes(vertices, triangles, colours))


def ply_bytes(vertices: Tensor, triangles: Tensor, colours: Tensor | None = None) -> bytes:
    """The content of a binary little-endian PLY file.

    Args:
        vertices: (V, 3). triangles: (F, 3) int64.
        colours: (V, 3) RGB in [0, 1], written as bytes.
    Raises:
        ValueError: on a wrong shape or a corner that is no vertex.
    """
    _check_mesh(vertices, triangles)
    fields: list[tuple[str, str]] = [(axis, "<f4") for axis in "xyz"]
    columns = [*vertices.detach().cpu().float().numpy().T]
    if colours is not None:
        if colours.shape != vertices.shape:
            raise ValueError(f"colours: expected shape {tuple(vertices.shape)}, got {tuple(colours.shape)}")
        fields += [(name, "u1") for name in ("red", "green", "blue")]
        columns += [*(colours.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).numpy().T]
    points = np.rec.fromarrays(columns, dtype=np.dtype(fields))
    faces = np.empty(len(triangles), _PLY_FACE)
    faces["count"], faces["corners"] = 3, triangles.cpu().numpy()
    kinds = {"<f4": "float", "u1": "uchar"}
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    header += [f"property {kinds[kind]} {name}" for name, kind in fields]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", ""]
    return "\n".join(header).encode("ascii") + points.tobytes() + faces.tobytes()


def _lines(template: str, rows: NDArray[np.generic]) -> str:
    """All rows through one format string, which is far quicker than a loop."""
    return (template * len(rows)) % tuple(rows.ravel().tolist())


def _check_mesh(vertices: Tensor, triangles: Tensor) -> None:
    if vertices.ndim != 2 or vertices.shape[1] != 3:
        raise ValueError(f"vertices: expected shape (V, 3), got {tuple(vertices.shape)}")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype != torch.int64:
        raise ValueError(f"triangles: expected int64 of shape (F, 3), got {triangles.dtype} {tuple(triangles.shape)}")
    if triangles.numel() and not 0 <= int(triangles.min()) <= int(triangles.max()) < len(vertices):
        raise ValueError(f"triangles: expected indices from 0 to {len(vertices) - 1}")


def _replace_file(path: Path, content: bytes) -> Path:
    """Write to a temporary file beside ``path``, then rename it: no half-written file is ever seen."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: expected an existing folder {path.parent}")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
