"""Rotations, the weak-perspective camera, similarity, the affine of crops and augmentation, the rasteriser."""

from facelab.geometry.affine import Affine, sampled
from facelab.geometry.camera import WeakPerspective
from facelab.geometry.rasterizer import Raster, interpolate, rasterize
from facelab.geometry.rotation import rotation_angles, rotation_matrix
from facelab.geometry.similarity import Similarity, similarity

__all__ = [
    "Affine",
    "Raster",
    "Similarity",
    "WeakPerspective",
    "interpolate",
    "rasterize",
    "rotation_angles",
    "rotation_matrix",
    "sampled",
    "similarity",
]
