"""Other faces with the colours, the hair and the wardrobe of the built-in one.

A scanned model is skin and little else. :func:`dress` lays the skin of a *wardrobe*, the built-in face, onto that of
the model (``surface_fit``). Masks cross over between neighbours on the skin; hair, clothes and glasses stand as high
over the new skin as they did over their own, and follow it.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree
from torch import Tensor

from facelab.face3d.builtin import builtin_face
from facelab.face3d.model import MorphableModel
from facelab.face3d.plane_curves import inside_loop, smoothstep
from facelab.face3d.surface_fit import Fit, Surface, fit_surface, neighbour_weights
from facelab.geometry import similarity

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Flags = NDArray[np.bool_]
_Pairs = tuple[Index, Index, Array]  # vertices of the model, of the wardrobe, and the share of each

_SKIN = ("face", "lips", "scalp", "neck")  # of the wardrobe
_INSIDE = ("eyes", "lid margins", "mouth", "upper teeth", "lower teeth", "tongue")
_RENAMED = {"gums and tongue": "tongue", "eye sockets": "lid margins"}
_UNSEEN = ("inner eyes", "lacrimal fluid", "eye blend", "eye occlusion", "eyelashes")  # see-through, or behind that
_DENTAL, _DENTAL_DEPTH = ("upper teeth", "lower teeth", "tongue"), 0.4  # width of the eyes behind the lips: unseen
_OWNED_WITH = {name: "eyes" if name in ("eyes", "lid margins") else "mouth" for name in _INSIDE}
_STIFF = ("glasses", "lenses", "cap", "mask")  # move as a whole
_STILL = ("eyes", "upper teeth", "clothes", *_STIFF)  # do not move with the expression
_ON_JAW = ("lower teeth", "tongue")
_JAW = 17
_ANCHORS = tuple(range(_JAW, 68))  # models place the jaw by different rules
_CHIN, _RIGHT_EYE, _LEFT_EYE = 8, slice(36, 42), slice(42, 48)
_NEAR = (3.0, 1.2)  # cm of the wardrobe: from the first down to the second, heights over the skin come to count
_BESIDE = 1.0  # cm of the wardrobe: heights count over skin no farther to the side
_DEEPER = {"hair": 1.6}  # times as deep goes what a cut hides under the skin: other skins fold more
_SEAM, _SINK = 4, 0.12  # rings of vertices, and cm, that added skin reaches below the model's
_COLLAR = 0.7  # cm of the wardrobe: skin farther than that from the wardrobe's may be shoulder
_EAR_REACH, _EAR_HEIGHT = 1.6, 0.2  # cm of the wardrobe
_CLEARANCE, _DEEPEST = 0.15, 2.5  # cm of the wardrobe: clothes rise to the first if not deeper in the body than that
_EYE_REACH, _NO_HOLE = 2.2, 0.3  # cm of the wardrobe: a vertex before the middle of an eye is on a closed sheet
_TEXTURE_OF_PARTS = 0.15  # share of the texture below that of the model


def dress(model: MorphableModel, wardrobe: MorphableModel | None = None, own_jaw: bool = False) -> MorphableModel:
    """The model with masks, hair, clothes and styles of the wardrobe; kept in the process.

    Regions get the names of the wardrobe, so that it is painted like the built-in face; shells that ought to be
    see-through, and the back of the teeth, are dropped. What the model lacks (eyes, mouth, ears, the back of the head)
    is added; an added vertex moves with the skin near it. Identity and expression modes keep their meaning.

    Landmarks 0 to 16 move to where the wardrobe has its jaw: the rules differ, and those of ICT-FaceKit run far in
    front of the jaw that 300W-LP and AFLW2000-3D know.

    Args:
        model: any face with 68 landmarks. wardrobe: by default the built-in face.
        own_jaw: keep the landmarks of the jaw too. Right for the Basel Face Model, which labelled 300W-LP.
    Raises:
        ValueError: when the model lacks landmarks.
    """
    return _dress(model, builtin_face() if wardrobe is None else wardrobe, own_jaw)


@lru_cache(maxsize=4)
def _dress(model: MorphableModel, wardrobe: MorphableModel, own_jaw: bool) -> MorphableModel:
    fitting = _Fitting(_seen(model), wardrobe)
    painted = fitting.painted()
    if not own_jaw:
        painted = replace(painted, landmarks=fitting.landmarks())
    parts = [fitting.part(name) for name in fitting.missing()]
    return _joined(painted, wardrobe, [part for part in parts if len(part.index)])


def _seen(model: MorphableModel) -> MorphableModel:
    """The model without what no picture shows or what ought to be see-through, under the wardrobe's region names."""
    names = (*(_RENAMED.get(name, name) for name in model.region_names), "unseen")
    renamed = replace(model, region_names=names)
    marks = model.landmarks_of(model.mean.T[None])[0]
    depth = _DENTAL_DEPTH * (marks[45] - marks[36]).norm()
    back = torch.from_numpy(_in_regions(renamed, _DENTAL)).to(model.region.device)
    back &= model.mean[2] < marks[48:, 2].mean() - depth
    parted = replace(renamed, region=torch.where(back, len(names) - 1, model.region))
    return parted.subset([name for name in names if name not in (*_UNSEEN, "unseen")])


def _points(model: MorphableModel) -> Array:
    return model.mean.T.cpu().double().numpy()


def _in_regions(model: MorphableModel, names: tuple[str, ...]) -> Flags:
    wanted = [number for number, name in enumerate(model.region_names) if name in names]
    return np.isin(model.region.cpu().numpy(), wanted)


@dataclass(frozen=True)
class _Part:
    """A region of the wardrobe, in place on a model.

    Attributes:
        name: of the region. index: (M,) its vertices in the wardrobe. points: (M, 3). style: (Ks, M, 3).
        identity, expression: (K, 3, M).
    """

    name: str
    index: Index
    points: Array
    style: Array
    identity: Tensor
    expression: Tensor


class _Fitting:
    """A model before the mirror: the wardrobe's skin laid onto its own."""

    def __init__(self, model: MorphableModel, wardrobe: MorphableModel) -> None:
        self.model, self.wardrobe = model, wardrobe
        self.points, self.cloth = _points(model), _points(wardrobe)
        self.skin = np.flatnonzero(~_in_regions(model, _INSIDE))
        self.cloth_skin = np.flatnonzero(_in_regions(wardrobe, _SKIN))
        whole = Surface(self.points, model.triangles.cpu().numpy()).part(~_in_regions(model, _INSIDE))
        self.fit = self._lay(whole)
        self.ears = self._find_ears(whole)
        self.head = whole.part(~self.ears)
        self.head_index = self.skin[~self.ears]
        self.closed_eyes = self._find_closed_eyes()

    def _lay(self, skin: Surface) -> Fit:
        model, wardrobe = self.model, self.wardrobe
        mine = model.landmarks_of(model.mean.T[None]).cpu().double()[:, _ANCHORS]
        theirs = wardrobe.landmarks_of(wardrobe.mean.T[None]).cpu().double()[:, _ANCHORS]
        source = Surface(self.cloth, wardrobe.triangles.cpu().numpy()).part(_in_regions(wardrobe, _SKIN))
        anchors = np.searchsorted(self.cloth_skin, wardrobe.landmarks.cpu().numpy()[list(_ANCHORS)])
        return fit_surface(source, skin, similarity(theirs, mine), anchors, mine[0].numpy())

    def _find_ears(self, skin: Surface) -> Flags:
        """(N,) vertices of the model's skin that stand off the wardrobe's skin, and are near its ears."""
        ears = self._cloth_of("ears")
        if not len(ears):
            return np.zeros(len(skin.points), bool)
        to_ear, _ = cKDTree(self.fit.apply(self.cloth[ears])).query(skin.points)
        height, _, _ = Surface(self.fit.fitted, self.fit.source.triangles).heights(skin.points)
        return (to_ear < _EAR_REACH * self.fit.scale) & (np.abs(height) > _EAR_HEIGHT * self.fit.scale)

    def _cloth_of(self, region: str) -> Index:
        return np.flatnonzero(_in_regions(self.wardrobe, (region,)))

    def _find_closed_eyes(self) -> Flags:
        """(V,) vertices of the model between its lids, where it has skin there and no eyeballs."""
        inside = np.zeros(len(self.points), bool)
        if _in_regions(self.model, ("eyes",)).any():
            return inside
        marks = self.points[self.model.landmarks.cpu().numpy()]
        for eye in (_RIGHT_EYE, _LEFT_EYE):
            offset = (self.points - marks[eye].mean(axis=0)) / self.fit.scale
            near = np.linalg.norm(offset, axis=1) < _EYE_REACH
            if (near & (np.linalg.norm(offset[:, :2], axis=1) < _NO_HOLE)).any():
                inside |= near & inside_loop(self.points[:, :2], marks[eye][::-1, :2])
        return inside

    def missing(self) -> list[str]:
        """Regions of the wardrobe that the model does not have."""
        owned = {name for name in _INSIDE if _in_regions(self.model, (_OWNED_WITH[name],)).any()}
        owned |= {"ears"} if self.ears.any() else set()
        owned |= {"eyes", "lid margins"} if self.closed_eyes.any() else set()
        return [name for name in self.wardrobe.region_names if name not in owned]

    def landmarks(self) -> Tensor:
        """(68,) the model's own, but for the jaw: the vertices nearest to that of the wardrobe."""
        jaw = np.searchsorted(self.cloth_skin, self.wardrobe.landmarks[:_JAW].cpu().numpy())
        _, nearest = self.head.tree.query(self.fit.fitted[jaw])
        moved = self.model.landmarks.clone()
        moved[:_JAW] = torch.from_numpy(self.head_index[nearest])
        return moved

    def painted(self) -> MorphableModel:
        """The model with the wardrobe's regions and masks on its own vertices."""
        pairs = [self._head_pairs(), self._collar_pairs(), self._ear_pairs(), *self._eye_pairs(), *self._inner_pairs()]
        rows, columns, values = (np.concatenate(column) for column in zip(*pairs, strict=True))
        shape = (len(self.points), len(self.cloth))
        weights = sparse.csr_matrix((values, (rows, columns)), shape=shape)
        nearest = np.asarray(weights.argmax(axis=1)).ravel()
        masks = {name: weights @ mask.cpu().double().numpy() for name, mask in self.wardrobe.masks.items()}
        return replace(
            self.model,
            region=self.wardrobe.region.cpu()[torch.from_numpy(nearest)],
            region_names=self.wardrobe.region_names,
            masks={name: torch.from_numpy(mask).float().clamp(0, 1) for name, mask in masks.items()},
        )

    def _head_pairs(self) -> _Pairs:
        rows = np.setdiff1d(self.head_index, np.flatnonzero(self._below_collar() | self.closed_eyes))
        return _pairs(rows, self.points[rows], self.cloth_skin, self.fit.fitted)

    def _collar_pairs(self) -> _Pairs:
        rows, clothes = np.flatnonzero(self._below_collar()), self._cloth_of("clothes")
        return _pairs(rows, self.points[rows], clothes, self._place(self.cloth[clothes]))

    def _below_collar(self) -> Flags:
        """(V,) skin of the model below the wardrobe's clothes, and shoulders where the wardrobe has no skin."""
        index = self._cloth_of("clothes")
        below = np.zeros(len(self.points), bool)
        if len(index):
            triangles = self.wardrobe.triangles.cpu().numpy()
            whole = Surface(self.cloth, triangles).part(_in_regions(self.wardrobe, ("clothes",)))
            clothes = Surface(self._place(self.cloth[index]), whole.triangles)
            height, _, over = clothes.heights(self.head.points, _BESIDE * self.fit.scale)
            to_skin, _ = cKDTree(self.fit.fitted).query(self.head.points)
            to_clothes, _ = clothes.tree.query(self.head.points)
            covered = over & (height < 0) & (height > -_DEEPEST * self.fit.scale)
            below[self.head_index] = covered | ((to_clothes < to_skin) & (to_skin > _COLLAR * self.fit.scale))
        return below

    def _ear_pairs(self) -> _Pairs:
        rows, ears = self.skin[self.ears], self._cloth_of("ears")
        return _pairs(rows, self.points[rows], ears, self.fit.apply(self.cloth[ears]))

    def _inner_pairs(self) -> list[_Pairs]:
        """Mouth, teeth and tongue, where both have them."""
        found = []
        for name in _INSIDE[1:]:
            rows, cloth = np.flatnonzero(_in_regions(self.model, (name,))), self._cloth_of(name)
            found.append(_pairs(rows, self.points[rows], cloth, self.fit.apply(self.cloth[cloth])))
        return found

    def _eye_pairs(self) -> list[_Pairs]:
        """Eyeballs: places of equal distance from the line of sight, so that an iris keeps its size."""
        rows = np.flatnonzero(_in_regions(self.model, ("eyes",)) | self.closed_eyes)
        cloth = self._cloth_of("eyes")
        marks = self.points[self.model.landmarks.cpu().numpy()]
        centres = np.stack([marks[eye].mean(axis=0) for eye in (_RIGHT_EYE, _LEFT_EYE)])
        side = cKDTree(centres).query(self.points[rows])[1]
        found = []
        for number, sign in ((0, -1), (1, 1)):
            mine, theirs = rows[side == number], cloth[self.cloth[cloth, 0] * sign > 0]
            if not len(mine) or not len(theirs):
                continue
            centre, _ = _sphere(self.cloth[theirs])
            own, _ = _sphere(self.points[mine]) if not self.closed_eyes.any() else (centres[number], 0.0)
            sight = _beside_sight((self.points[mine] - own) / self.fit.scale)
            found.append(_pairs(mine, sight, theirs, _beside_sight(self.cloth[theirs] - centre)))
        return found

    def part(self, name: str) -> _Part:
        """A region of the wardrobe, fitted."""
        index = self._bare(name) if name in _SKIN else self._cloth_of(name)
        sink, depth = _SINK if name in _SKIN else 0.0, _DEEPER.get(name, 1.0)
        points = self._place(self.cloth[index], sink, depth)
        moved = self.wardrobe.style[:, :, torch.from_numpy(index)].cpu().double().numpy().transpose(0, 2, 1)
        style = np.zeros_like(moved)
        for number in np.flatnonzero(np.abs(moved).sum(axis=(1, 2)) > 0):
            style[number] = self._place(self.cloth[index] + moved[number], sink, depth) - points
            style[number][np.abs(moved[number]).sum(axis=1) == 0] = 0.0
        weights = self._followed(name, self._lowest(points, style))
        still = 0.0 if name in _STILL else 1.0
        return _Part(
            name,
            index,
            points,
            style,
            _following(self.model.identity[:, :, self.head_index], weights),
            still * _following(self.model.expression[:, :, self.head_index], weights),
        )

    def _bare(self, region: str) -> Index:
        """The wardrobe's skin where the model has none, and a seam that reaches below the model's."""
        distance, _ = self.head.tree.query(self.fit.fitted)
        bare = ~self.fit.met & (distance > self.fit.scale)
        triangles = self.fit.source.triangles
        for _ in range(_SEAM if bare.any() else 0):
            bare[triangles[bare[triangles].any(axis=1)]] = True
        return np.intersect1d(self.cloth_skin[bare], self._cloth_of(region))

    def _place(self, points: Array, sink: float = 0.0, depth: float = 1.0) -> Array:
        """Points (M, 3) of the wardrobe on the model, as high over its skin as over the wardrobe's, if near to it.

        Args:
            sink: cm that they lie deeper. depth: how many times as deep what is below the skin goes.
        """
        placed = self.fit.apply(points)
        if not len(points):
            return placed
        scale = self.fit.scale
        height, _, on_skin = self.fit.source.heights(points)
        wanted = scale * (np.where(height < 0, depth * height, height) - sink)
        for _ in range(3):
            got, outward, over = self.head.heights(placed, _BESIDE * scale)
            share = smoothstep(*_NEAR, np.abs(height)) * (on_skin & over)
            rise = share * (wanted - got)
            loose = ~on_skin & over & (got > -_DEEPEST * scale)
            rise = np.where(loose, np.maximum(_CLEARANCE * scale - got, 0), rise)
            placed = placed + rise[:, None] * outward
        return placed

    def _lowest(self, points: Array, style: Array) -> Array:
        """Of all places (M, 3) that a part's vertices go to when worn, those lowest over the skin, or under it.

        They move with the skin there: what is to be hidden must stay hidden on every face.
        """
        lowest, least = points.copy(), np.full(len(points), np.inf)
        for moved in style:
            height, _, _ = self.head.heights(points + moved)
            lower = (height < least) & moved.any(axis=1)
            lowest[lower], least[lower] = (points + moved)[lower], height[lower]
        return lowest

    def _followed(self, name: str, worn: Array) -> sparse.csr_matrix:
        """Weights (M, N) of the head's vertices that a part's vertices follow."""
        scale = self.fit.scale
        if name in _ON_JAW:
            worn = np.repeat(self.points[int(self.model.landmarks[_CHIN])][None], len(worn), axis=0)
        if name in _STIFF:
            return neighbour_weights(self.head.points, worn, 800, 4.0 * scale)
        return neighbour_weights(self.head.points, worn, *((3, 0.0) if name in _INSIDE else (24, 0.2 * scale)))


def _pairs(rows: Index, points: Array, columns: Index, places: Array) -> _Pairs:
    """Each of ``rows`` at ``points`` with its three nearest of ``columns`` at ``places``."""
    if not len(rows) or not len(columns):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    found = neighbour_weights(places, points, 3).tocoo()
    return rows[found.row], columns[found.col], found.data


def _sphere(points: Array) -> tuple[Array, float]:
    """Centre (3,) and radius of the sphere nearest to points (N, 3), by least squares."""
    system = np.concatenate([2 * points, np.ones((len(points), 1))], axis=1)
    solution = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0]
    return solution[:3], float(np.sqrt(solution[3] + solution[:3] @ solution[:3]))


def _beside_sight(rays: Array) -> Array:
    """Rays (N, 3) from the centre of an eye as places (N, 2) about its line of sight; the back lies far out."""
    behind = np.where(rays[:, 2:] < 0, 10.0, 1.0)
    return behind * rays[:, :2]


def _following(basis: Tensor, weights: sparse.csr_matrix) -> Tensor:
    """The basis (K, 3, N) carried to (K, 3, M) by weights (M, N)."""
    flat = basis.cpu().numpy().reshape(-1, basis.shape[2])
    moved = (weights.astype(np.float32) @ flat.T).T
    return torch.from_numpy(np.ascontiguousarray(moved)).reshape(len(basis), 3, weights.shape[0])


def _joined(model: MorphableModel, wardrobe: MorphableModel, parts: list[_Part]) -> MorphableModel:
    """The painted model and its parts behind it."""
    index = np.concatenate([part.index for part in parts])
    order = torch.from_numpy(index)
    own = model.mean.shape[1]
    renumber = torch.full((wardrobe.mean.shape[1],), -1)
    renumber[order] = own + torch.arange(len(index))
    triangles = renumber[wardrobe.triangles.cpu()]
    points = torch.from_numpy(np.concatenate([part.points for part in parts])).float()
    style = np.concatenate([part.style for part in parts], axis=1).transpose(0, 2, 1)
    style = np.concatenate([np.zeros((len(style), 3, own)), style], axis=2)
    share = _TEXTURE_OF_PARTS
    texture = torch.tensor([1.0, 1 - share])
    uv = [model.uv.cpu() * texture + torch.tensor([0.0, share]), wardrobe.uv.cpu()[order] * torch.tensor([1.0, share])]
    fields: dict[str, Any] = {
        "name": f"{model.name}, dressed",
        "mean": torch.cat([model.mean.cpu(), points.T], 1),
        "identity": torch.cat([model.identity.cpu(), *(part.identity for part in parts)], 2),
        "expression": torch.cat([model.expression.cpu(), *(part.expression for part in parts)], 2),
        "style": torch.from_numpy(style).float(),
        "style_names": wardrobe.style_names,
        "triangles": torch.cat([model.triangles.cpu(), triangles[(triangles >= 0).all(1)]]),
        "uv": torch.cat(uv).clamp(0, 1),
        "region": torch.cat([model.region.cpu(), wardrobe.region.cpu()[order]]),
        "masks": {name: torch.cat([mask, wardrobe.masks[name].cpu()[order]]) for name, mask in model.masks.items()},
    }
    return replace(model, **fields).to(wardrobe.mean.device)
