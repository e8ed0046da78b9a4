"""Figures: interactive ones that live in a page without a kernel, and still ones."""

from facelab.viz.architecture import network_figure
from facelab.viz.attention_maps import attention_sheet, token_figure
from facelab.viz.bar_places import bands_figure, bar_figure
from facelab.viz.boxes import measured_shapes
from facelab.viz.ced_explorer import ced_explorer
from facelab.viz.choices import choices_figure
from facelab.viz.clip_tracks import ClipFigure, clip_figure
from facelab.viz.clouds import landmark_cloud, landmark_views
from facelab.viz.complementary import complementary_figure
from facelab.viz.contour_frames import contour_axes, contour_errors, mean_face
from facelab.viz.curves import (
    bits_figure,
    ced_figure,
    history_figure,
    rates_figure,
    runs_figure,
    study_figure,
    sweep_figure,
)
from facelab.viz.dimensions import dimensions_figure
from facelab.viz.ellipses import EllipseFigure, assumed_covariances, draw_ellipses, ellipse_figure
from facelab.viz.epochs import epochs_figure
from facelab.viz.error_atlas import directed_errors, error_atlas
from facelab.viz.error_ellipses import ErrorEllipses, error_ellipses, measure_ellipses
from facelab.viz.face_controls import FaceControls, parameter_figure
from facelab.viz.faces import contact_sheet, draw_landmarks, face_sheet, jpeg, render_mesh, render_views, show_image
from facelab.viz.figure import Blend, InteractiveFigure
from facelab.viz.heatmaps import heatmap_explorer, stack_explorer
from facelab.viz.laboratory import Laboratory, Switch
from facelab.viz.loss_surfaces import LossSurface, loss_surface_figure, loss_surfaces
from facelab.viz.markups import jaw_explorer, markup_explorer, placed
from facelab.viz.mesh_differences import mesh_difference_figure
from facelab.viz.mesh_errors import LinkedScenes, mesh_error_figure
from facelab.viz.meshes import face_figure, landmark_names, landmark_trace, mesh_scene, mesh_trace
from facelab.viz.occlusion import occlusion_sensitivity, share_near
from facelab.viz.painted import Downloads, painted_figure
from facelab.viz.portraits import portrait_camera, portraits, studio_light
from facelab.viz.ratios import Ratio, ratios_figure
from facelab.viz.reparametrization import block_figure, branch_kernels, kernel_figure
from facelab.viz.slides import Overlay, slides
from facelab.viz.source import show_source
from facelab.viz.style import ACCENT, BASELINE, NEUTRAL, ON_SKIN, PREDICTION, TRUTH, style
from facelab.viz.tables import spread, table
from facelab.viz.tiles import ShuffleFigure, shuffle_figure, travelled
from facelab.viz.trade_off import TradeOff, trade_off_figure
from facelab.viz.turning import turning_figure
from facelab.viz.two_stage import two_stage_figure

__all__ = [
    "ACCENT",
    "BASELINE",
    "NEUTRAL",
    "ON_SKIN",
    "PREDICTION",
    "TRUTH",
    "Blend",
    "ClipFigure",
    "Downloads",
    "EllipseFigure",
    "ErrorEllipses",
    "FaceControls",
    "InteractiveFigure",
    "Laboratory",
    "LinkedScenes",
    "LossSurface",
    "Overlay",
    "Ratio",
    "ShuffleFigure",
    "Switch",
    "TradeOff",
    "assumed_covariances",
    "attention_sheet",
    "bands_figure",
    "bar_figure",
    "bits_figure",
    "block_figure",
    "branch_kernels",
    "ced_explorer",
    "ced_figure",
    "choices_figure",
    "clip_figure",
    "complementary_figure",
    "contact_sheet",
    "contour_axes",
    "contour_errors",
    "dimensions_figure",
    "directed_errors",
    "draw_ellipses",
    "draw_landmarks",
    "ellipse_figure",
    "epochs_figure",
    "error_atlas",
    "error_ellipses",
    "face_figure",
    "face_sheet",
    "heatmap_explorer",
    "history_figure",
    "jaw_explorer",
    "jpeg",
    "kernel_figure",
    "landmark_cloud",
    "landmark_names",
    "landmark_trace",
    "landmark_views",
    "loss_surface_figure",
    "loss_surfaces",
    "markup_explorer",
    "mean_face",
    "measure_ellipses",
    "measured_shapes",
    "mesh_difference_figure",
    "mesh_error_figure",
    "mesh_scene",
    "mesh_trace",
    "network_figure",
    "occlusion_sensitivity",
    "painted_figure",
    "parameter_figure",
    "placed",
    "portrait_camera",
    "portraits",
    "rates_figure",
    "ratios_figure",
    "render_mesh",
    "render_views",
    "runs_figure",
    "share_near",
    "show_image",
    "show_source",
    "shuffle_figure",
    "slides",
    "spread",
    "stack_explorer",
    "studio_light",
    "study_figure",
    "style",
    "sweep_figure",
    "table",
    "token_figure",
    "trade_off_figure",
    "travelled",
    "turning_figure",
    "two_stage_figure",
]
