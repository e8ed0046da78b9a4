"""Meshes in colours of their own, side by side, to turn together; and files to take along."""

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape

import plotly.graph_objects as go
import torch
from torch import Tensor

from facelab.viz.faces import render_mesh
from facelab.viz.mesh_errors import LinkedScenes
from facelab.viz.meshes import mesh_scene, mesh_trace

_EYE = (0.0, 0.0, 1.9)  # so far off that half of a phone's width is enough
_YAWS = (-35.0, 0.0, 35.0)  # of the still twin, degrees
_HEIGHT = 420


def painted_figure(
    vertices: Sequence[Tensor], triangles: Tensor, colours: Sequence[Tensor], names: Sequence[str], alt: str
) -> LinkedScenes:
    """Meshes side by side; turning one turns all of them.

    Args:
        vertices: ``(V, 3)`` each, y up. triangles: ``(F, 3)`` of all. colours: ``(V, 3)`` each, in [0, 1].
        names: above the meshes. alt: what is to be seen.
    Raises:
        ValueError: without a mesh, or on numbers of meshes, colours and names that differ.
    """
    count = len(vertices)
    if not count or len(colours) != count or len(names) != count:
        raise ValueError(
            f"painted_figure: expected as many meshes, colours and names, got {count}, {len(colours)}, {len(names)}"
        )
    layout = mesh_scene(eye=_EYE, height=_HEIGHT)
    scene = layout.scene.to_plotly_json()
    traces, titles = [], []
    for index, (points, paint, name) in enumerate(zip(vertices, colours, names, strict=True)):
        key = f"scene{index + 1 if index else ''}"
        layout[key] = {**scene, "domain": {"x": [index / count, (index + 1) / count]}}
        traces.append(mesh_trace(points, triangles, paint).update(scene=key))
        place = {"xref": "paper", "yref": "paper", "x": (index + 0.5) / count, "y": 1, "yanchor": "top"}
        titles.append({"text": name, "showarrow": False, "font": {"size": 14}, **place})
    layout.annotations = titles
    stills = [
        torch.cat([render_mesh(points, triangles, paint, yaw=yaw) for yaw in _YAWS], 2)
        for points, paint in zip(vertices, colours, strict=True)
    ]
    rows = torch.cat(stills, 2 if math.prod(stills[0].shape[1:]) * count < 2**17 else 1)
    return LinkedScenes(go.Figure(traces, layout), alt, rows.permute(1, 2, 0).numpy())


class Downloads:
    """Links that hold their files: they work in a page without a kernel and without a network.

    Attributes:
        files: content by name of file.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)

    def _repr_html_(self) -> str:
        rows = [
            f'<a style="color: inherit" download="{escape(name)}" href="data:application/octet-stream;base64,'
            f'{base64.b64encode(content).decode()}">{escape(name)}</a> ({len(content) / 1000:.0f} kB)'
            for name, content in self.files.items()
        ]
        return f'<p class="facelab-downloads">Download: {", ".join(rows)}</p>'

    def __repr__(self) -> str:
        return "files in this page: " + ", ".join(self.files)
