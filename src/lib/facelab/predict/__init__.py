"""From a photograph to landmarks: where its faces are, their points in 2D or 3D, meshes, files and a picture of them.

Two lines from a photograph to points in three dimensions, by a network that comes with the book::

    predictor = facelab.load("fan")  # or two_stage, anisotropic, tddfa, cln
    faces = predictor.faces(read_image("photograph.jpg"))  # faces[0].landmarks is (68, 3)

By runs of one's own: ``Predictor.load("runs/fan", "runs/fan-depth")``.
"""

from facelab.predict.detection import detect_faces, landmark_box_of_detection, without_doubles
from facelab.predict.files import to_csv, to_json, to_pts
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

__all__ = [
    "METHODS",
    "DepthRecipe",
    "MeshRecipe",
    "Network",
    "Origin",
    "PointsRecipe",
    "PredictedFace",
    "Predictor",
    "detect_faces",
    "draw_faces",
    "landmark_box_of_detection",
    "landmarks_of_photograph",
    "photograph",
    "to_csv",
    "to_json",
    "to_pts",
    "without_doubles",
]
