"""A world of faces drawn by code: scenes, their pictures, and data sets of them."""

from facelab.data.synthetic.faces import SyntheticFaces
from facelab.data.synthetic.live import LiveFaces
from facelab.data.synthetic.scene import Picture, Scene, SceneRanges, render_scene, sample_scene

__all__ = ["LiveFaces", "Picture", "Scene", "SceneRanges", "SyntheticFaces", "render_scene", "sample_scene"]
