"""Figures: interactive ones that live in a page without a kernel, and still ones."""

from facelab.viz.curves import ced_figure, history_figure
from facelab.viz.faces import draw_landmarks, face_sheet, render_mesh, render_views, show_image
from facelab.viz.figure import Blend, InteractiveFigure
from facelab.viz.heatmaps import heatmap_explorer
from facelab.viz.meshes import face_figure, landmark_names, landmark_trace, mesh_scene, mesh_trace
from facelab.viz.source import show_source
from facelab.viz.style import ACCENT, BASELINE, NEUTRAL, ON_SKIN, PREDICTION, TRUTH, style

__all__ = [
    "ACCENT",
    "BASELINE",
    "NEUTRAL",
    "ON_SKIN",
    "PREDICTION",
    "TRUTH",
    "Blend",
    "InteractiveFigure",
    "ced_figure",
    "draw_landmarks",
    "face_figure",
    "face_sheet",
    "heatmap_explorer",
    "history_figure",
    "landmark_names",
    "landmark_trace",
    "mesh_scene",
    "mesh_trace",
    "render_mesh",
    "render_views",
    "show_image",
    "show_source",
    "style",
]
