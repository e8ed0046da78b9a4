"""How fast faces become pictures: the rasteriser and vertex normals, on one core and on CUDA if there is one.

Every face of a batch has another pose. A picture drawn again and again lets the processor learn its branches by heart,
which flatters everybody: those times stand in a column of their own, since published figures are of this kind.

The peer is face3d's C++ core as compiled in PyPI's ``insightface==0.7.3`` (Sim3DR of 3DDFA_V2 comes from the same code
and took 1.0 to 1.1 of its time on meshes like these). It is timed beside ours where it can be imported. Else the table
quotes what this file measured, compiled by gcc 12, on one core of an AMD EPYC of 2022 (Zen 4).
"""

import importlib
import tempfile
import time
from collections.abc import Callable, Iterator
from types import ModuleType

import numba
import torch
from torch import Tensor

from facelab.data.synthetic import Scene, SceneRanges, SyntheticFaces, render_scene, sample_scene
from facelab.face3d import MorphableModel, builtin_face, vertex_normals
from facelab.geometry import interpolate, rasterize, rotation_matrix

BATCH, CUDA_BATCH, CUDA_SIZE = 32, 256, 128
GRIDS = (95, 196)  # 9,025 vertices, and 38,416: about the 38,365 of the Basel face that 3DDFA_V2 draws
SIZES = (64, 128, 256)
FILL = 0.8  # share of the picture's width that the face takes
SECONDS = 0.6  # spent on each figure

# Milliseconds a face of the peer: (vertices a side, pixels) -> other poses, one picture again and again.
QUOTED = {
    (95, 64): (0.44, 0.25),
    (95, 128): (0.82, 0.50),
    (95, 256): (2.06, 1.55),
    (196, 64): (1.08, 0.75),
    (196, 128): (1.70, 1.32),
    (196, 256): (3.19, 2.53),
}
QUOTED_NORMALS = {95: 0.15, 196: 0.63}  # of Sim3DR's C++, milliseconds, on the same kind of core


def half_ellipsoid(side: int) -> tuple[Tensor, Tensor]:
    """Vertices (side * side, 3) of the near half of a unit ball, as a grid pressed onto a disc, and its triangles."""
    steps = torch.linspace(-1, 1, side)
    v, u = torch.meshgrid(steps, steps, indexing="ij")
    x, y = u * (1 - v * v / 2).sqrt(), v * (1 - u * u / 2).sqrt()
    vertices = torch.stack([x, y, (1 - x * x - y * y).clamp(min=0).sqrt()], 2).reshape(-1, 3)
    corner = torch.arange(side * side).reshape(side, side)
    a, b, c, d = (part.flatten() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]))
    return vertices, torch.cat([torch.stack([a, c, b], 1), torch.stack([b, c, d], 1)])


def posed(vertices: Tensor, size: int, count: int) -> Tensor:
    """Pixels (count, V, 3) of a mesh turned by up to 60 degrees of yaw, 15 of pitch and roll; the first is frontal."""
    turns = 2 * torch.rand(count, 3, generator=torch.Generator().manual_seed(0)) - 1
    pitch, yaw, roll = (turns * torch.tensor([15.0, 60.0, 15.0]).deg2rad() * (torch.arange(count) > 0)[:, None]).T
    turned = vertices @ rotation_matrix(pitch, yaw, roll).mT
    return turned * (FILL * size / 2) + torch.tensor([size / 2, size / 2, 0.0])


def best_ms(run: Callable[..., object], *args: object) -> float:
    """Shortest wall time of ``run(*args)``, in milliseconds: other work on the machine only ever adds to it."""
    run(*args)
    times: list[float] = []
    ends = time.perf_counter() + SECONDS
    while time.perf_counter() < ends or len(times) < 3:
        started = time.perf_counter()
        run(*args)
        times.append(1000 * (time.perf_counter() - started))
    return min(times)


def peer_core() -> ModuleType | None:
    """face3d's compiled functions, if somebody installed them."""
    try:
        return importlib.import_module("insightface.thirdparty.face3d.mesh.cython.mesh_core_cython")
    except ImportError:
        return None


def draw(points: Tensor, triangles: Tensor, colours: Tensor, size: int) -> Tensor:
    """Coloured pictures: visibility, weights, depth, then three colours over white."""
    raster = rasterize(points, triangles, size, size)
    picture = interpolate(raster, triangles, colours[: len(points)], points.new_ones(3))
    if points.is_cuda:
        torch.cuda.synchronize()
    return picture


def draw_by_peer(core: ModuleType, points: Tensor, triangles: Tensor, colours: Tensor, size: int) -> None:
    """The same by the peer, one face after the other; as in its own Python layer, buffers are made in the call."""
    for face, own in zip(points, colours, strict=False):
        picture, depth = torch.zeros(size, size, 3), torch.full((size, size), -999999.0)
        core.render_colors_core(
            picture.numpy(), face.numpy(), triangles.numpy(), own.numpy(), depth.numpy(),
            len(face), len(triangles), size, size, 3,
        )  # fmt: skip


def pictures(core: ModuleType | None) -> Iterator[str]:
    """Lines of a table: coloured pictures by one core."""
    yield f"coloured pictures of {BATCH} poses, 1 core    ms a face  faces/s  of the peer    one pose again of the peer"
    for side in GRIDS:
        shape, triangles = half_ellipsoid(side)
        colours = ((shape + 1) / 2).repeat(BATCH, 1, 1)
        for size in SIZES:
            points = posed(shape, size, BATCH)
            varied = best_ms(draw, points, triangles, colours, size) / BATCH
            again = best_ms(draw, points[:1], triangles, colours, size)
            peer_varied, peer_again = QUOTED[side, size]
            if core is not None:
                peer_varied = best_ms(draw_by_peer, core, points, triangles.int(), colours, size) / BATCH
                peer_again = best_ms(draw_by_peer, core, points[:1], triangles.int(), colours, size)
            yield (
                f"  {side * side:6,d} vertices, {size:3d} px {varied:23.3f} {1000 / varied:8,.0f}"
                f" {varied / peer_varied:5.2f} of {peer_varied:.2f} {again:14.3f}"
                f" {again / peer_again:8.2f} of {peer_again:.2f}"
            )


def normals() -> Iterator[str]:
    """Lines on vertex normals by one core."""
    for side in GRIDS:
        vertices, triangles = half_ellipsoid(side)
        spent = best_ms(vertex_normals, vertices.repeat(BATCH, 1, 1), triangles) / BATCH
        yield (
            f"vertex normals, {side * side:6,d} vertices, 1 core {spent:12.3f} ms a face"
            f"    {spent / QUOTED_NORMALS[side]:.2f} of Sim3DR's ({QUOTED_NORMALS[side]:.2f} ms)"
        )


def whole_samples() -> Iterator[str]:
    """Lines on scenes drawn at random, lit, shaded and labelled, by one core; then through the camera."""
    face = builtin_face()
    count = f"{face.mean.shape[1]:,d}"
    yield f"whole samples of the built-in face, {count} vertices, 1 core    ms a face  faces/s   drawing alone"
    for size in SIZES:
        scene = _scene(face, size, BATCH)
        drawing = best_ms(render_scene, face, scene) / BATCH
        whole = drawing + best_ms(_scene, face, size, BATCH) / BATCH
        yield f"  {size:3d} px {whole:57.2f} {1000 / whole:8,.0f} {drawing:15.2f}"
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        SyntheticFaces(4 * BATCH, 128, folder=folder)
        spent = 1000 * (time.perf_counter() - started) / (4 * BATCH)
    yield f"  128 px, with things in front, blur, JPEG, into the cache {spent:8.2f} {1000 / spent:8,.0f}"


def _scene(face: MorphableModel, size: int, count: int) -> Scene:
    return sample_scene(face, count, size, SceneRanges(), torch.Generator().manual_seed(0))


def on_cuda() -> Iterator[str]:
    """Lines on coloured pictures and whole samples by the graphics card."""
    name = torch.cuda.get_device_name()
    face = builtin_face().to("cuda")
    scene = _scene(builtin_face(), CUDA_SIZE, CUDA_BATCH).to("cuda")

    def draw_scene() -> None:
        render_scene(face, scene)
        torch.cuda.synchronize()

    spent = best_ms(draw_scene) / CUDA_BATCH
    yield f"whole samples drawn, {name}, {face.mean.shape[1]:,d} vertices, {CUDA_SIZE} px {1000 / spent:12,.0f} faces/s"
    for side in GRIDS:
        shape, triangles = half_ellipsoid(side)
        points = posed(shape, CUDA_SIZE, CUDA_BATCH).cuda()
        spent = best_ms(draw, points, triangles.cuda(), torch.rand_like(points), CUDA_SIZE) / CUDA_BATCH
        yield f"coloured pictures, {name}, {side * side:6,d} vertices, {CUDA_SIZE} px {1000 / spent:12,.0f} faces/s"


def report() -> Iterator[str]:
    """All lines of this part."""
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    core = peer_core()
    yield from pictures(core)
    yield from normals()
    yield from whole_samples()
    numba.set_num_threads(threads)
    if torch.cuda.is_available():
        yield from on_cuda()


if __name__ == "__main__":
    for line in report():
        print(line, flush=True)
