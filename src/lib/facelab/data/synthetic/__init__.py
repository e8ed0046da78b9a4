"""A world of faces drawn by code: scenes, their pictures, and data sets of them."""

from facelab.data.synthetic.clips import (
    FILMED,
    Comparison,
    NaturalMotion,
    SyntheticClips,
    warped_against_rendered,
)
from facelab.data.synthetic.faces import SyntheticFaces
from facelab.data.synthetic.live import LiveFaces
from facelab.data.synthetic.scene import Picture, Scene, SceneRanges, render_scene, sample_scene

__all__ = [
    "FILMED",
    "Comparison",
    "LiveFaces",
    "NaturalMotion",
    "Picture",
    "Scene",
    "SceneRanges",
    "SyntheticClips",
    "SyntheticFaces",
    "render_scene",
    "sample_scene",
    "warped_against_rendered",
]
