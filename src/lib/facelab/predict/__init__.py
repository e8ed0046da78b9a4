"""From a photograph to landmarks: where its faces are, their points in 2D or 3D, meshes, files and a picture of them.

Two lines from a photograph to points in three dimensions, by a network that comes with the book::

    predictor = facelab.load("fan")  # or two_stage, anisotropic, tddfa, cln
    faces = predictor.faces(read_image("photograph.jpg"))  # faces[0].landmarks is (68, 3)

By runs of one's own: ``Predictor.load("runs/fan", "runs/fan-depth")``.
"""

from facelab.predict.choosing import (
    BoxSliders,
    Upload,
    box_by_hand,
    choose_face,
    draw_boxes,
    methods_at_hand,
    open_photograph,
    same_box,
)
from facelab.predict.detection import detect_faces, landmark_box_of_detection, without_doubles
from facelab.predict.doubts import Doubts, doubts
from facelab.predict.files import to_csv, to_json, to_pts
from facelab.predict.looking import (
    HeatmapView,
    PaintedMesh,
    draw_methods,
    face_crop,
    heatmap_view,
    painted_mesh,
    save_meshes,
)
from facelab.predict.picture import draw_faces
from facelab.predict.predictor import (
    METHODS,
    DepthRecipe,
    MeshRecipe,
    Network,
    Origin,
    PointsRecipe,
    PredictedFace,
    Predictor,
    landmarks_of_photograph,
    photograph,
)
from facelab.predict.signals import Signals, distances, measure, median_landmarks

__all__ = [
    "METHODS",
    "BoxSliders",
    "DepthRecipe",
    "Doubts",
    "HeatmapView",
    "MeshRecipe",
    "Network",
    "Origin",
    "PaintedMesh",
    "PointsRecipe",
    "PredictedFace",
    "Predictor",
    "Signals",
    "Upload",
    "box_by_hand",
    "choose_face",
    "detect_faces",
    "distances",
    "doubts",
    "draw_boxes",
    "draw_faces",
    "draw_methods",
    "face_crop",
    "heatmap_view",
    "landmark_box_of_detection",
    "landmarks_of_photograph",
    "measure",
    "median_landmarks",
    "methods_at_hand",
    "open_photograph",
    "painted_mesh",
    "photograph",
    "same_box",
    "save_meshes",
    "to_csv",
    "to_json",
    "to_pts",
    "without_doubles",
]
