"""From 62 parameters to a mesh."""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from benchmarks.measuring import Line, Settings, medians
from facelab.face3d import MorphableModel, builtin_face
from facelab.face3d.parameters import EXPRESSION_PARAMETERS, IDENTITY_PARAMETERS, pack, project

BASEL_VERTICES = 38_365  # of the Basel Face Model without the neck, the mesh of 3DDFA_V2


def reconstruction(settings: Settings) -> Iterator[Line]:
    """Lines on all vertices, beside the formula of 3DDFA_V2 written in NumPy, face by face."""
    for model in (builtin_face(), basel_like(BASEL_VERTICES)):
        yield from _reconstruction(model, settings)


def basel_like(vertices: int, seed: int = 0) -> MorphableModel:
    """Random numbers in the units of the Basel Face Model as 3DDFA has it: 40 and 10 modes, micrometres.

    Identity coefficients are of the order of 1e5 with columns of norm 0.7, expressions of 1 with columns of norm 2e5.
    """
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    return MorphableModel(
        name="random face",
        unit="um",
        mean=5e4 * noise(3, vertices),
        identity=0.7 / (3 * vertices) ** 0.5 * noise(IDENTITY_PARAMETERS, 3, vertices),
        expression=2e5 / (3 * vertices) ** 0.5 * noise(EXPRESSION_PARAMETERS, 3, vertices),
        identity_std=torch.logspace(5.7, 4.1, IDENTITY_PARAMETERS),
        expression_std=torch.logspace(0.2, -0.8, EXPRESSION_PARAMETERS),
        expression_range=torch.tensor([-5.0, 5.0]).repeat(EXPRESSION_PARAMETERS, 1),
        expression_names=tuple(f"mode {mode}" for mode in range(EXPRESSION_PARAMETERS)),
        triangles=torch.zeros(0, 3, dtype=torch.int64),
        uv=torch.zeros(vertices, 2),
        region=torch.zeros(vertices, dtype=torch.int64),
        region_names=("face",),
        landmarks=torch.arange(68).clamp(max=vertices - 1),
    )


def _reconstruction(model: MorphableModel, settings: Settings) -> Iterator[Line]:
    generator = torch.Generator().manual_seed(0)
    arrays = _interleaved(model.mean, model.identity[:IDENTITY_PARAMETERS], model.expression[:EXPRESSION_PARAMETERS])
    model = model.to(settings.device)
    for count in settings.meshes:
        identity, expression = model.sample(count, generator)
        camera = torch.randn(count, 3, 4, generator=generator).to(settings.device)
        parameters = pack(camera, identity, expression)
        values = parameters.cpu().numpy()
        runs: dict[str, Callable[[], object]] = {"ours": lambda p=parameters: project(model, p)}  # type: ignore[misc]
        if settings.device == "cpu":
            runs["numpy"] = lambda rows=values: [_one_by_numpy(row, *arrays) for row in rows]  # type: ignore[misc]
        taken = medians(runs, settings)
        name = f"{model.name}: 62 parameters to {model.mean.shape[1]:,d} vertices, {count} faces"
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
