"""The networks of the five papers."""

from facelab.models.blocks import HPM, Bottleneck
from facelab.models.direct import DirectRegression
from facelab.models.fan import FAN, Hourglass
from facelab.models.fan_depth import FANDepth
from facelab.models.heatmap_regression import HeatmapRegression
from facelab.models.inference import for_inference, for_training
from facelab.models.landmark_regressor import LandmarkRegressor
from facelab.models.mobilenet import MobileNetV1
from facelab.models.trunks import TRUNKS
from facelab.models.two_stage import DepthRegression, PartCascade, PartDetection, PartRegression, TwoStage

__all__ = [
    "FAN",
    "HPM",
    "TRUNKS",
    "Bottleneck",
    "DepthRegression",
    "DirectRegression",
    "FANDepth",
    "HeatmapRegression",
    "Hourglass",
    "LandmarkRegressor",
    "MobileNetV1",
    "PartCascade",
    "PartDetection",
    "PartRegression",
    "TwoStage",
    "for_inference",
    "for_training",
]
