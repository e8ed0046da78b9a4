"""From 62 parameters to a mesh."""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from benchmarks.measuring import Line, Settings, medians
from facelab.face3d import builtin_face
from facelab.face3d.parameters import pack, project


def reconstruction(settings: Settings) -> Iterator[Line]:
    """Lines on all vertices of the built-in face, beside the formula of 3DDFA_V2 written in NumPy, face by face."""
    model = builtin_face()
    generator = torch.Generator().manual_seed(0)
    arrays = _interleaved(model.mean, model.identity[:40], model.expression[:10])
    model = model.to(settings.device)
    for count in settings.meshes:
        identity, expression = model.sample(count, generator)
        camera = torch.randn(count, 3, 4, generator=generator).to(settings.device)
        parameters = pack(camera, identity[:, :40], expression[:, :10])
        values = parameters.cpu().numpy()
        runs: dict[str, Callable[[], object]] = {"ours": lambda p=parameters: project(model, p)}  # type: ignore[misc]
        if settings.device == "cpu":
            runs["numpy"] = lambda rows=values: [_one_by_numpy(row, *arrays) for row in rows]  # type: ignore[misc]
        taken = medians(runs, settings)
        name = f"62 parameters to {model.mean.shape[1]:,d} vertices, {count} faces"
        if "numpy" not in taken:
            yield Line(name, taken["ours"])
            continue
        theirs = np.stack([_one_by_numpy(row, *arrays) for row in values])
        apart = np.abs(theirs - project(model, parameters).numpy()).max() / np.abs(theirs).max()
        label = "3DDFA_V2's formula in NumPy"
        yield Line(name, taken["ours"], label, taken["ours"] / taken["numpy"], note=f"difference {apart:.0e}")


def _interleaved(*parts: torch.Tensor) -> list[np.ndarray]:
    """Mean ``(3 V, 1)`` and bases ``(3 V, K)``, the coordinates of a vertex one after the other, as 3DDFA_V2 has it."""
    return [np.ascontiguousarray(part.reshape(-1, 3, part.shape[-1]).permute(2, 1, 0).flatten(0, 1)) for part in parts]


def _one_by_numpy(row: np.ndarray, mean: np.ndarray, identity: np.ndarray, expression: np.ndarray) -> np.ndarray:
    """Vertices (V, 3) of one face: ``R (u + W a + V b) + t`` with the vertices in Fortran order."""
    camera = row[:12].reshape(3, 4)
    shape = mean + identity @ row[12:52, None] + expression @ row[52:, None]
    return (camera[:, :3] @ shape.reshape(3, -1, order="F") + camera[:, 3:]).T
