"""A linear morphable face model: mean, identity and expression bases, and what is known of each vertex."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facelab.face3d.mesh_files import write_obj

LANDMARKS = 68
_TRUNCATION = 3.0  # standard deviations that sampled coefficients stay within


@dataclass(frozen=True, eq=False)
class MorphableModel:
    r"""Faces ``S = mean + sum_i alpha_i A_i + sum_j beta_j E_j`` with ``alpha_i = std_i z_i`` (Blanz and Vetter 1999).

    Coefficients are raw: in units of the basis, a standard score times the standard deviation. Bases are stored axis
    first, so that one matrix product makes a batch of faces. Model space: x right, y up, z to the viewer.

    Attributes:
        name: of the model. unit: of length, such as ``"cm"``.
        mean: (3, V) float32.
        identity: (Ki, 3, V) float32. identity_std: (Ki,) float32.
        expression: (Ke, 3, V) float32. expression_std: (Ke,) float32.
        expression_range: (Ke, 2) float32, natural lowest and highest coefficient of each expression mode.
        expression_names: Ke names.
        triangles: (F, 3) int64, counter-clockwise seen from outside.
        uv: (V, 2) float32 in [0, 1].
        region: (V,) int64, index into ``region_names``.
        masks: name to (V,) float32 in [0, 1], soft memberships (lips, brows, iris ...) for colouring.
        style: (Ks, 3, V) float32, what can be worn: hair cuts, glasses ... A coefficient of 0 leaves it off (it lies
            hidden inside the head, or does not stand out), 1 puts it on. Empty for most models.
        style_names: Ks names.
        landmarks: (68,) int64 vertices in the order of the iBUG mark-up; -1 where a part of a model lacks the landmark.
    """

    name: str
    unit: str
    mean: Tensor
    identity: Tensor
    expression: Tensor
    identity_std: Tensor
    expression_std: Tensor
    expression_range: Tensor
    expression_names: tuple[str, ...]
    triangles: Tensor
    uv: Tensor
    region: Tensor
    region_names: tuple[str, ...]
    landmarks: Tensor
    masks: dict[str, Tensor] = field(default_factory=dict)
    style: Tensor = field(default_factory=lambda: torch.zeros(0, 3, 0))
    style_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        vertices = self.mean.shape[-1]
        if not len(self.style):
            object.__setattr__(self, "style", self.mean.new_zeros(0, 3, vertices))
        shapes: dict[str, tuple[int, ...]] = {
            "mean": (3, vertices),
            "identity": (len(self.identity), 3, vertices),
            "expression": (len(self.expression), 3, vertices),
            "identity_std": (len(self.identity),),
            "expression_std": (len(self.expression),),
            "expression_range": (len(self.expression), 2),
            "style": (len(self.style_names), 3, vertices),
            "uv": (vertices, 2),
        }
        for name, shape in shapes.items():
            _check(name, getattr(self, name), shape, torch.float32)
        _check("triangles", self.triangles, (len(self.triangles), 3), torch.int64)
        _check("region", self.region, (vertices,), torch.int64)
        _check("landmarks", self.landmarks, (LANDMARKS,), torch.int64)
        for name, mask in self.masks.items():
            _check(f"masks[{name!r}]", mask, (vertices,), torch.float32)
            _check_range(f"masks[{name!r}]", mask, 0, 1)
        if len(self.expression_names) != len(self.expression):
            wanted, got = len(self.expression), len(self.expression_names)
            raise ValueError(f"expression_names: expected {wanted} names, got {got}")
        _check_range("triangles", self.triangles, 0, vertices - 1)
        _check_range("landmarks", self.landmarks, -1, vertices - 1)
        _check_range("region", self.region, 0, len(self.region_names) - 1)
        _check_range("uv", self.uv, 0, 1)
        _check_range("identity_std", self.identity_std, 0, float("inf"))
        _check_range("expression_std", self.expression_std, 0, float("inf"))

    def vertices(
        self, identity: Tensor | None = None, expression: Tensor | None = None, style: Tensor | None = None
    ) -> Tensor:
        """Faces (B, V, 3) of raw coefficients; a basis may be truncated by giving fewer coefficients.

        Args:
            identity: (B, k) or (k,) with k <= Ki; None is the mean.
            expression: (B, k) or (k,) with k <= Ke; None is neutral.
            style: (B, k) or (k,) with k <= Ks; None wears nothing.
        Raises:
            ValueError: on more coefficients than modes, or batch sizes that differ.
        """
        return self.axes(identity, expression, style).transpose(1, 2).contiguous()

    def axes(
        self, identity: Tensor | None = None, expression: Tensor | None = None, style: Tensor | None = None
    ) -> Tensor:
        """The same as :meth:`vertices`, one coordinate after the other: ``(B, 3, V)``, as the bases have it."""
        shape = self.mean.reshape(1, -1)
        for name, given in (("identity", identity), ("expression", expression), ("style", style)):
            basis = getattr(self, name)
            scores = self._coefficients(name, given, len(basis))
            if len(scores) != len(shape) and 1 not in (len(scores), len(shape)):
                raise ValueError(f"{name}: expected a batch of {len(shape)}, got {len(scores)}")
            if scores.shape[1]:
                each = scores.expand(max(len(scores), len(shape)), -1)
                shape = torch.addmm(shape, each, basis[: scores.shape[1]].flatten(1))  # sum and product in one pass
        if shape.data_ptr() == self.mean.data_ptr():
            shape = shape.clone()  # nothing was added, and the mean must not be written to by accident
        return shape.unflatten(1, self.mean.shape)

    def _coefficients(self, name: str, given: Tensor | None, modes: int) -> Tensor:
        if given is None:
            return self.mean.new_zeros(1, 0)
        batched = given[None] if given.ndim == 1 else given
        if batched.ndim != 2 or batched.shape[1] > modes:
            raise ValueError(f"{name}: expected shape (B, k) with k <= {modes}, got {tuple(given.shape)}")
        return batched.to(self.mean)

    def landmarks_of(self, vertices: Tensor) -> Tensor:
        """The landmarks (B, 68, 3) of faces (B, V, 3).

        Raises:
            ValueError: when the model lacks landmarks (a part of a face) or V does not fit.
        """
        if vertices.shape[-2] != self.mean.shape[1]:
            raise ValueError(f"vertices: expected shape (B, {self.mean.shape[1]}, 3), got {tuple(vertices.shape)}")
        return vertices[..., self._whole_landmarks(), :]

    def _whole_landmarks(self) -> Tensor:
        missing = (self.landmarks < 0).nonzero()[:, 0].tolist()
        if missing:
            raise ValueError(f"landmarks: {self.name} lacks the vertices of landmarks {missing}")
        return self.landmarks

    def sample(
        self,
        count: int,
        generator: torch.Generator,
        identity_scale: float = 1.0,
        expression_scale: float = 1.0,
        activity: float = 0.3,
        symmetry: float = 0.8,
    ) -> tuple[Tensor, Tensor]:
        """Random raw coefficients: identity (count, Ki) and expression (count, Ke).

        Identity scores are normal, cut at three standard deviations. An expression mode is in use with probability
        ``activity``; its coefficient is normal, folded to be positive where its range starts at zero, and kept in
        its range.
        With probability ``symmetry`` a face gives ``..._right`` modes the coefficient of their ``..._left`` partners.
        """
        device = generator.device
        scores = torch.randn(count, len(self.identity), generator=generator, device=device)
        identity = identity_scale * scores.clamp(-_TRUNCATION, _TRUNCATION) * self.identity_std.to(device)
        modes = len(self.expression)
        scores = torch.randn(count, modes, generator=generator, device=device)
        used = torch.rand(count, modes, generator=generator, device=device) < activity
        even = torch.rand(count, 1, generator=generator, device=device) < symmetry
        low, high = self.expression_range.to(device).unbind(1)
        scores = torch.where(low >= 0, scores.abs(), scores)
        expression = (expression_scale * scores * self.expression_std.to(device)).clamp(low, high) * used
        for right, left in self._paired_modes():
            expression[:, right] = torch.where(even[:, 0], expression[:, left], expression[:, right])
        return identity.to(self.mean), expression.to(self.mean)

    def wearing(self, *names: str) -> Tensor:
        """Coefficients ``(Ks,)`` of :attr:`style` that put these on.

        Raises:
            ValueError: on a name that the model does not have.
        """
        unknown = [name for name in names if name not in self.style_names]
        if unknown:
            have = ", ".join(self.style_names) or "none"
            raise ValueError(f"styles: expected some of {have}; got {', '.join(unknown)}")
        return torch.tensor([float(name in names) for name in self.style_names], device=self.mean.device)

    def _paired_modes(self) -> list[tuple[int, int]]:
        place = {name: index for index, name in enumerate(self.expression_names)}
        rights = [name for name in place if name.endswith("_right")]
        pairs = [(name, name.removesuffix("_right") + "_left") for name in rights]
        return [(place[right], place[left]) for right, left in pairs if left in place]

    def to(self, device: torch.device | str) -> "MorphableModel":
        """The same model on another device."""
        moved: dict[str, Any] = {
            key: value.to(device) for key, value in vars(self).items() if isinstance(value, Tensor)
        }
        return replace(self, **moved, masks={key: mask.to(device) for key, mask in self.masks.items()})

    def subset(self, regions: Sequence[str]) -> "MorphableModel":
        """The part of the model whose vertices lie in these regions.

        Triangles stay when all three corners do. Landmarks of vertices that went become -1; :meth:`landmarks_of` then
        refuses. Regions keep their numbers and names.

        Raises:
            ValueError: on a region that the model does not have.
        """
        unknown = [name for name in regions if name not in self.region_names]
        if unknown:
            raise ValueError(f"regions: expected some of {', '.join(self.region_names)}; got {', '.join(unknown)}")
        wanted = torch.tensor([self.region_names.index(name) for name in regions], device=self.region.device)
        return self.at(torch.isin(self.region, wanted).nonzero()[:, 0])

    def at(self, vertices: Tensor) -> "MorphableModel":
        """The model of these vertices alone, in this order: what a face costs is then the cost of these.

        Triangles stay when all three corners do. Landmarks of vertices that went become -1; :meth:`landmarks_of` then
        refuses.

        Args:
            vertices: (N,) int64.
        Raises:
            ValueError: on another shape or type, or a vertex that the model does not have.
        """
        _check("vertices", vertices, (vertices.numel(),), torch.int64)
        _check_range("vertices", vertices, 0, self.mean.shape[1] - 1)
        chosen = vertices.to(self.mean.device)
        renumber = torch.full((self.mean.shape[1],), -1, device=chosen.device)
        renumber[chosen] = torch.arange(len(chosen), device=chosen.device)
        triangles = renumber[self.triangles]
        return replace(
            self,
            mean=self.mean[:, chosen],
            identity=self.identity[:, :, chosen],
            expression=self.expression[:, :, chosen],
            style=self.style[:, :, chosen],
            triangles=triangles[(triangles >= 0).all(dim=1)],
            uv=self.uv[chosen],
            region=self.region[chosen],
            masks={key: mask[chosen] for key, mask in self.masks.items()},
            landmarks=torch.where(self.landmarks >= 0, renumber[self.landmarks], -1),
        )

    def landmark_model(self) -> "MorphableModel":
        """The model of the 68 landmarks alone: its vertices are the landmarks, at the cost of 68 vertices.

        Made once for a model.

        Raises:
            ValueError: when the model lacks landmarks (a part of a face).
        """
        return _landmark_model(self)

    def save_obj(
        self, path: str | os.PathLike[str], vertices: Tensor | None = None, texture: Tensor | None = None
    ) -> Path:
        """Write the mean face, or ``vertices`` (V, 3) of this model, as Wavefront OBJ with its texture coordinates.

        Args:
            texture: (3, H, W) colours over the texture coordinates, such as those of
                :func:`facelab.face3d.uv_texture`; with it two more files are written, see :func:`write_obj`.
        """
        shape = self.vertices()[0] if vertices is None else vertices
        return write_obj(path, shape, self.triangles, self.uv, texture)


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # what is kept from inference mode could not be trained with later
def _landmark_model(model: MorphableModel) -> MorphableModel:
    return model.at(model._whole_landmarks())


def _check(name: str, value: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    if tuple(value.shape) != shape or value.dtype != dtype:
        raise ValueError(f"{name}: expected {dtype} of shape {shape}, got {value.dtype} of shape {tuple(value.shape)}")


def _check_range(name: str, value: Tensor, low: float, high: float) -> None:
    inside = (value >= low) & (value <= high)  # false for NaN
    if not bool(inside.all()):
        raise ValueError(f"{name}: expected values from {low} to {high}, got {value[~inside][0].item()}")
