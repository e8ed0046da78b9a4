"""The moving picture of the first page: one rendered head, seen as the five papers see it."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from PIL import Image
from torch import Tensor

from facelab import viz
from facelab.data import FaceSample, NaturalMotion, SceneRanges, SyntheticClips, encode_heatmaps
from facelab.face3d import builtin_face
from facelab.face3d.normals import vertex_normals
from facelab.face3d.parameters import project
from facelab.geometry import interpolate, rasterize
from facelab.losses import anisotropic_weights
from tools.book.layout import BOOK

MOVING, STILL = (BOOK / "_static" / name for name in ("cover.webp", "cover.png"))
FRAMES = 40
_MILLISECONDS = 80  # a frame
_SIDE = 240  # of a picture in pixels
_SEED = 33
_BLUR = 5.0  # pixels: deviation of a heatmap
_TITLES = ("a picture", "a heatmap for each point", "how far points may slide", "a mesh")


def clip() -> FaceSample:
    """One person whose head turns, and comes back to where it was."""
    motion = NaturalMotion(frames=FRAMES, yaw=24, pitch=5, roll=3, shift=0, zoom=0, period=(FRAMES, FRAMES))
    ranges = SceneRanges(margin=(1.9, 1.9))
    return SyntheticClips(1, motion, _SIDE, _SEED, yaw=(-10, 10), ranges=ranges, camera=None)[0]


def write_cover() -> tuple[Path, Path]:
    """Draws the clip and writes the moving picture and its first frame, for readers who want nothing to move."""
    frames = clip()
    pictures = [_drawn(frames, index) for index in range(len(frames.image))]
    pictures[0].save(STILL, optimize=True)
    pictures[0].save(
        MOVING, save_all=True, append_images=pictures[1:], duration=_MILLISECONDS, loop=0, quality=75, method=6
    )
    return MOVING, STILL


def _drawn(frames: FaceSample, index: int) -> Image.Image:
    picture, points = frames.image[index], frames.landmarks[index, :, :2]
    with viz.style():
        figure, axes = plt.subplots(2, 2, figsize=(4.8, 5.2), dpi=100)
        shown = (picture, _with_heatmaps(picture, points), picture, _mesh(frames.parameters[index]))
        for ax, image, title in zip(axes.flat, shown, _TITLES, strict=True):
            viz.show_image(ax, image, title)
        viz.draw_landmarks(axes[0, 0], points, viz.ON_SKIN, size=2)
        _ellipses(axes[1, 0], points)
        figure.tight_layout(pad=0.4)
        with io.BytesIO() as file:
            figure.savefig(file, format="png")
            plt.close(figure)
            file.seek(0)
            return Image.open(file).convert("RGB")


def _with_heatmaps(picture: Tensor, points: Tensor) -> Tensor:
    """The picture, dark, under the brightest of the heatmaps at each pixel."""
    maps = encode_heatmaps(points[None], _SIDE, _SIDE, _BLUR)[0].amax(0)
    bright = torch.from_numpy(np.asarray(plt.get_cmap("inferno")(maps.numpy()))[..., :3]).permute(2, 0, 1).float()
    return torch.maximum(0.35 * picture, bright)


def _ellipses(ax: Axes, points: Tensor) -> None:
    """Those in which the anisotropic loss (Rayhan et al. 2020) costs the same."""
    weights = anisotropic_weights(points[None].double(), "68", 5.0, 2.0)[0]
    viz.draw_ellipses(ax, points, torch.linalg.inv(weights), deviations=1.5)


def _mesh(parameters: Tensor) -> Tensor:
    """The head of the 62 parameters in the pixels of the picture, grey and lit from the upper left, on white."""
    face = builtin_face().subset(["face", "lips", "ears", "scalp", "neck", "eyes"])
    vertices = project(face, parameters[None])
    upright = vertices * torch.tensor([1.0, -1.0, 1.0])
    light = torch.nn.functional.normalize(torch.tensor([-0.35, 0.45, 0.8]), dim=0)
    shade = 0.3 + 0.65 * (vertex_normals(upright, face.triangles) @ light).clamp_min(0)
    colours = shade[..., None] * torch.tensor([0.72, 0.78, 0.86])
    raster = rasterize(2 * vertices + 0.5, face.triangles, 2 * _SIDE, 2 * _SIDE)
    white = torch.ones(1, 2 * _SIDE, 2 * _SIDE, 3)
    large = interpolate(raster, face.triangles, colours, white).permute(0, 3, 1, 2)
    return torch.nn.functional.avg_pool2d(large, 2)[0]
