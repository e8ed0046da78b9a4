"""Faces with labels: samples, crops and augmentation, heatmap targets, synthetic sets, clips."""

from facelab.data.augmentation import PRESETS, Augmentation, preset
from facelab.data.balance import SAMPLINGS, PoseBalanced, PoseBins, collect_landmarks, pose_bins, pose_scores
from facelab.data.cache import cache_folder
from facelab.data.crops import CROPS, Crop, box_side, crop_faces, crop_window, inexact_boxes
from facelab.data.heatmaps import (
    DECODERS,
    decode_heatmaps,
    encode_heatmaps,
    to_heatmap_pixels,
    to_picture_pixels,
)
from facelab.data.images import read_image
from facelab.data.label_noise import ShakenLabels, SmearedLabels, shaken_landmarks, smeared_landmarks
from facelab.data.occluders import OCCLUDERS, occlude
from facelab.data.readers import DATA_SETS, open_dataset
from facelab.data.sample import FaceSample, landmark_box
from facelab.data.self_shuffle import THUMBNAILS, SelfShuffle, Shuffled, self_shuffle
from facelab.data.short_video import WARPED, Motion, ShortVideo, synthesize
from facelab.data.synthetic import (
    LiveFaces,
    NaturalMotion,
    SceneRanges,
    SyntheticClips,
    SyntheticFaces,
    warped_against_rendered,
)

__all__ = [
    "CROPS",
    "DATA_SETS",
    "DECODERS",
    "OCCLUDERS",
    "PRESETS",
    "SAMPLINGS",
    "THUMBNAILS",
    "WARPED",
    "Augmentation",
    "Crop",
    "FaceSample",
    "LiveFaces",
    "Motion",
    "NaturalMotion",
    "PoseBalanced",
    "PoseBins",
    "SceneRanges",
    "SelfShuffle",
    "ShakenLabels",
    "ShortVideo",
    "Shuffled",
    "SmearedLabels",
    "SyntheticClips",
    "SyntheticFaces",
    "box_side",
    "cache_folder",
    "collect_landmarks",
    "crop_faces",
    "crop_window",
    "decode_heatmaps",
    "encode_heatmaps",
    "inexact_boxes",
    "landmark_box",
    "occlude",
    "open_dataset",
    "pose_bins",
    "pose_scores",
    "preset",
    "read_image",
    "self_shuffle",
    "shaken_landmarks",
    "smeared_landmarks",
    "synthesize",
    "to_heatmap_pixels",
    "to_picture_pixels",
    "warped_against_rendered",
]
