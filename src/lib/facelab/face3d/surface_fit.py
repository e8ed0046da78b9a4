"""Laying one skin onto another: nearest points, held by landmarks and by smoothness.

Non-rigid registration in the manner of Amberg et al. 2007: rounds of nearest points under a stiffness that is let go
step by step. The stiffness is a bi-Laplacian of the displacement, so a round is one sparse linear system.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from facelab.face3d.normals import vertex_normals
from facelab.geometry import Similarity

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Flags = NDArray[np.bool_]

_STIFFNESS = (3000.0, 300.0, 30.0, 3.0, 0.5)  # of the rounds
_HOLD = 30.0  # weight of an anchor beside that of a nearest point
_REACH = 0.06  # of the extent: how far a partner may be
_ONE_PLACE = 1e-4  # of the extent: vertices nearer than about that are one
_SAME_WAY = 0.5  # least cosine between the normals of a point and its partner


@dataclass(frozen=True)
class Surface:
    """A triangle mesh: points (N, 3) and triangles (F, 3), counter-clockwise from outside."""

    points: Array
    triangles: Index

    @cached_property
    def tree(self) -> cKDTree:
        """For nearest points."""
        return cKDTree(self.points)

    @cached_property
    def sewn(self) -> tuple["Surface", Index]:
        """The surface with vertices of one place made one, which closes seams; and (N,) the number of each there."""
        grid = np.round(self.points / (_ONE_PLACE * np.ptp(self.points, axis=0).max())).astype(np.int64)
        _, first, number = np.unique(grid, axis=0, return_index=True, return_inverse=True)
        number = number.ravel()
        return Surface(self.points[first], number[self.triangles]), number

    @cached_property
    def normals(self) -> Array:
        """(N, 3), of unit length."""
        whole, number = self.sewn
        return vertex_normals(torch.from_numpy(whole.points), torch.from_numpy(whole.triangles)).numpy()[number]

    @cached_property
    def rim(self) -> Flags:
        """(N,) vertices on an open edge, seams not counted."""
        whole, number = self.sewn
        edges = np.sort(whole.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        edges, count = np.unique(edges, axis=0, return_counts=True)
        rim = np.zeros(len(whole.points), bool)
        rim[edges[count == 1]] = True
        return rim[number]

    def heights(self, points: Array, beside: float = np.inf, neighbours: int = 6) -> tuple[Array, Array, Flags]:
        """How high points (M, 3) stand over the surface, outward, from the tangent planes of their neighbours.

        Returns:
            Heights (M,); outward directions (M, 3); and whether there is surface below (M,): the nearest vertex is off
            the rim, and no farther to the side than ``beside``.
        """
        distance, near = self.tree.query(points, k=neighbours)
        weight = _falloff(distance)
        normal = np.einsum("mk,mkc->mc", weight, self.normals[near])
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        offset = points[:, None] - self.points[near]
        height = np.einsum("mk,mkc,mkc->m", weight, offset, self.normals[near])
        first = self.normals[near[:, 0]]
        aside = offset[:, 0] - (offset[:, 0] * first).sum(axis=1, keepdims=True) * first
        return height, normal, ~self.rim[near[:, 0]] & (np.linalg.norm(aside, axis=1) < beside)

    def part(self, kept: Flags) -> "Surface":
        """The surface of some vertices."""
        renumber = np.where(kept, np.cumsum(kept) - 1, -1)
        triangles = renumber[self.triangles]
        return Surface(self.points[kept], triangles[(triangles >= 0).all(axis=1)])


def _falloff(distance: Array, least: float = 0.0) -> Array:
    """Weights (M, k) that sum to one: a Gaussian as wide as the nearest neighbour is far."""
    width = np.maximum(distance[:, :1], max(least, 1e-6))
    weight = np.exp(-0.5 * (distance / width) ** 2)
    return weight / weight.sum(axis=1, keepdims=True)


def neighbour_weights(points: Array, queries: Array, neighbours: int, least: float = 0.0) -> sparse.csr_matrix:
    """Sparse (M, N) means over the neighbours of queries (M, 3) among points (N, 3); ``least`` is the least width."""
    count = min(neighbours, len(points))
    distance, near = cKDTree(points).query(queries, k=count)
    distance, near = distance.reshape(len(queries), count), near.reshape(len(queries), count)
    rows = np.repeat(np.arange(len(queries)), count)
    shape = (len(queries), len(points))
    return sparse.csr_matrix((_falloff(distance, least).ravel(), (rows, near.ravel())), shape=shape)


@dataclass(frozen=True)
class Fit:
    """How a space goes over into another, known on a surface.

    Attributes:
        source: the surface. fitted: (N, 3) where its vertices go. similarity: what holds at large.
        met: (N,) whether the other surface was found there. scale: of lengths.
    """

    source: Surface
    fitted: Array
    similarity: Similarity
    met: Flags

    @property
    def scale(self) -> float:
        return float(self.similarity.scale[0])

    def apply(self, points: Array, least: float = 0.7) -> Array:
        """Moves points (M, 3) near the surface as its vertices move; ``least`` is the reach of a vertex."""
        if not len(points):
            return points
        moved = self.fitted - _similar(self.similarity, self.source.points)
        weights = neighbour_weights(self.source.points, points, 48, least)
        return _similar(self.similarity, points) + weights @ moved


def _similar(similarity: Similarity, points: Array) -> Array:
    return similarity.apply(torch.from_numpy(points)[None])[0].numpy()


def fit_surface(source: Surface, target: Surface, similarity: Similarity, anchors: Index, places: Array) -> Fit:
    """Lay ``source`` onto ``target``.

    Args:
        similarity: to start from, float64, a batch of one. anchors: (A,) vertices of the source that are known to go
            to ``places`` (A, 3).
    """
    whole, number = source.sewn
    start = _similar(similarity, whole.points)
    reach = _REACH * float(np.ptp(start, axis=0).max())
    smooth = _bi_laplacian(whole)
    moved, met = np.zeros_like(start), np.zeros(len(start), bool)
    for stiffness in _STIFFNESS:
        pull, met = _pull(Surface(start + moved, whole.triangles), target, reach)
        wanted = moved + pull
        weight = met.astype(np.float64)
        weight[number[anchors]] = _HOLD
        wanted[number[anchors]] = places - start[number[anchors]]
        system = sparse.diags(weight) + stiffness * smooth
        moved = splu(sparse.csc_matrix(system)).solve(weight[:, None] * wanted)
    return Fit(source, (start + moved)[number], similarity, met[number])


def _pull(surface: Surface, target: Surface, reach: float) -> tuple[Array, Flags]:
    """(N, 3) to the tangent plane of the partner on the target, and (N,) whether there is one.

    The partner is the nearest of eight neighbours that faces the same way, lies within reach and off the rim.
    """
    distance, near = target.tree.query(surface.points, k=8)
    facing = np.einsum("nc,nkc->nk", surface.normals, target.normals[near]) > _SAME_WAY
    good = facing & (distance < reach) & ~target.rim[near]
    first = good.argmax(axis=1)[:, None]
    partner = np.take_along_axis(near, first, axis=1)[:, 0]
    normal = target.normals[partner]
    height = ((target.points[partner] - surface.points) * normal).sum(axis=1, keepdims=True)
    return height * normal, good.any(axis=1)


def _bi_laplacian(surface: Surface) -> sparse.csr_matrix:
    count = len(surface.points)
    a, b = surface.triangles[:, [0, 1, 2]].ravel(), surface.triangles[:, [1, 2, 0]].ravel()
    links = sparse.csr_matrix((np.ones(2 * len(a)), (np.r_[a, b], np.r_[b, a])), shape=(count, count))
    links.data[:] = 1.0
    degree = np.asarray(links.sum(axis=1)).ravel()
    laplacian = sparse.identity(count) - sparse.diags(1 / np.maximum(degree, 1)) @ links
    return (laplacian.T @ laplacian).tocsr()
