"""Still pictures of faces: landmarks on photographs, rendered meshes, sheets of many faces."""

import base64
import io
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Image as JpegPicture
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from facelab.face3d import MorphableModel, vertex_normals
from facelab.geometry import WeakPerspective, interpolate, rasterize, rotation_matrix
from facelab.markups import markup
from facelab.viz.style import TRUTH, style


def draw_landmarks(
    ax: Axes,
    landmarks: Tensor,
    colour: str = TRUTH,
    scheme: str = "68",
    label: str | None = None,
    size: float = 4.0,
    edge: str | None = None,
) -> None:
    """Draws landmarks ``(L, 2 or 3)`` in image pixels as points joined along their curves.

    ``edge`` is the colour of a thin rim around points and lines: light colours need one on pale skin.
    """
    x, y = landmarks[:, :2].detach().cpu().numpy().T
    edges = np.array(markup(scheme).edges()).T
    lines = ax.plot(x[edges], y[edges], color=colour, linewidth=0.8, alpha=0.75 if edge is None else 1.0)
    dots = ax.plot(x, y, linestyle="none", marker="o", markersize=size, color=colour, markeredgewidth=0, label=label)
    if edge is not None:
        _rim(lines, edge, 1.5)
        _rim(dots, edge, 0.9)


def _rim(lines: Sequence[Line2D], edge: str, width: float) -> None:
    """Draws lines or points a second time below themselves, ``width`` points wide."""
    for line in lines:
        line.set_path_effects([withStroke(linewidth=width, foreground=edge)])


def show_image(ax: Axes, image: Tensor, title: str = "") -> None:
    """Shows ``(3, H, W)`` RGB in [0, 1] without axes; pixel centres are whole numbers."""
    ax.imshow(image.permute(1, 2, 0).clamp(0, 1).numpy())
    ax.set(xlim=(-0.5, image.shape[2] - 0.5), ylim=(image.shape[1] - 0.5, -0.5))
    ax.set_title(title, fontsize=9)
    ax.axis("off")


def face_sheet(
    images: Sequence[Tensor] | Tensor,
    landmarks: Sequence[Sequence[Tensor | None]] = (),
    titles: Sequence[str] = (),
    columns: int = 6,
    colours: Sequence[str] = (TRUTH,),
    labels: Sequence[str] = (),
    scheme: str = "68",
    edges: Sequence[str | None] = (),
) -> Figure:
    """Many faces in rows.

    Args:
        images: each ``(3, H, W)``.
        landmarks: one sequence a method, with the landmarks ``(L, 2 or 3)`` of every image, or None.
        titles: above the images. colours, labels: one a method. scheme: mark-up of the landmarks.
        edges: colour of the rim around the points of each method; none if not given.
    """
    rows = -(-len(images) // columns)
    rims = edges or (None,) * len(landmarks)
    with style():
        height = 1.95 if titles else 1.75
        figure, axes = plt.subplots(rows, columns, figsize=(1.65 * columns, height * rows), squeeze=False, dpi=80)
    for index, ax in enumerate(axes.flat):
        ax.axis("off")
        if index >= len(images):
            continue
        show_image(ax, images[index], titles[index] if index < len(titles) else "")
        for method, points in enumerate(landmarks):
            chosen = points[index]
            if chosen is not None:
                draw_landmarks(ax, chosen, colours[method], scheme, size=1.8, edge=rims[method])
    if labels:
        handles = [Line2D([], [], color=c, marker="o", markersize=4) for c in colours[: len(labels)]]
        for handle, rim in zip(handles, rims, strict=False):
            if rim is not None:
                _rim([handle], rim, 2.7)
        figure.legend(handles, labels, loc="lower center", ncols=len(labels), fontsize=9)
    figure.tight_layout(rect=(0, 0.04 if labels else 0, 1, 1))
    return figure


def contact_sheet(images: Sequence[Tensor] | Tensor, columns: int = 8) -> JpegPicture:
    """Pictures ``(3, S, S)`` in rows, pixel for pixel, as the output of a cell."""
    return jpeg(make_grid(torch.stack(list(images)), columns, padding=2, pad_value=1.0))


def jpeg(picture: Figure | Tensor, quality: int = 85) -> JpegPicture:
    """A figure, which is closed, or a picture ``(3, H, W)`` in [0, 1] as a JPEG: a quarter of the bytes of a PNG."""
    buffer = io.BytesIO()
    if isinstance(picture, Figure):
        picture.savefig(buffer, format="jpeg", bbox_inches="tight", pil_kwargs={"quality": quality, "optimize": True})
        plt.close(picture)
    else:
        pixels = (picture.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
        Image.fromarray(pixels).save(buffer, format="jpeg", quality=quality, optimize=True)
    return JpegPicture(buffer.getvalue(), format="jpeg")


def jpeg_address(image: Tensor, quality: int) -> str:
    """A picture ``(3, H, W)`` in [0, 1] as the address of a JPEG that holds it."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(image, quality).data).decode()


def render_mesh(
    vertices: Tensor, triangles: Tensor, colours: Tensor, pitch: float = 0.0, yaw: float = 0.0, size: int = 200
) -> Tensor:
    """A still picture of a mesh, lit from the viewer's upper left, on white.

    Args:
        vertices: ``(V, 3)`` model units. triangles: ``(F, 3)``. colours: ``(V, 3)`` in [0, 1].
        pitch, yaw: degrees. size: side of the picture in pixels.
    Returns:
        ``(3, size, size)`` in [0, 1].
    """
    rotation = rotation_matrix(*torch.tensor([pitch, yaw, 0.0]).deg2rad())[None]
    turned = vertices[None] @ rotation.transpose(1, 2)
    low, high = turned[0, :, :2].amin(0), turned[0, :, :2].amax(0)
    scale = 1.9 * size / float((high - low).max())  # drawn twice as large, then averaged
    centre = (low + high) / 2 * torch.tensor([1.0, -1.0])
    camera = WeakPerspective(torch.tensor([scale]), rotation, (size - 0.5 - scale * centre)[None])
    light = torch.nn.functional.normalize(torch.tensor([-0.35, 0.45, 0.8]), dim=0)
    normals = vertex_normals(vertices[None], triangles) @ rotation.transpose(1, 2)
    lit = colours[None] * (0.42 + 0.66 * (normals @ light).clamp_min(0))[..., None]
    raster = rasterize(camera.project(vertices[None]), triangles, 2 * size, 2 * size)
    picture = interpolate(raster, triangles, lit.clamp(0, 1), torch.ones(1, 2 * size, 2 * size, 3))
    return torch.nn.functional.avg_pool2d(picture.permute(0, 3, 1, 2), 2)[0]


def render_views(
    model: MorphableModel, vertices: Tensor, albedo: Tensor, yaws: Sequence[float], size: int = 200
) -> Tensor:
    """Views of a face side by side, ``(3, size, size * len(yaws))``; vertices, albedo ``(V, 3)``, yaws in degrees."""
    return torch.cat([render_mesh(vertices, model.triangles, albedo, yaw=yaw, size=size) for yaw in yaws], 2)
