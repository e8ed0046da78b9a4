"""The networks of the five papers."""

from facelab.models.blocks import HPM, Bottleneck
from facelab.models.cln import CLN
from facelab.models.coordinate_attention import (
    ConvolutionInstead,
    CoordinateAttention,
    CoordinateAttentionTransformer,
)
from facelab.models.counting import multiply_adds, multiply_adds_as_printed
from facelab.models.direct import DirectRegression
from facelab.models.fan import FAN, Hourglass
from facelab.models.fan_depth import FANDepth
from facelab.models.heatmap_regression import HeatmapRegression
from facelab.models.inference import for_inference, for_training
from facelab.models.landmark_fit import LandmarkFit, fit_landmarks
from facelab.models.landmark_regressor import LandmarkRegressor
from facelab.models.mobilenet import MobileNetV1
from facelab.models.mobilenet_v3 import MobileNetV3
from facelab.models.prnet import PRNet, positions_of, shares_of
from facelab.models.repvgg import REPVGG_TRUNKS, RepVGG, RepVGGBlock, deployed
from facelab.models.resnet22 import ResNet22
from facelab.models.tddfa import TDDFA
from facelab.models.trunks import TRUNKS
from facelab.models.two_stage import DepthRegression, PartCascade, PartDetection, PartRegression, TwoStage
from facelab.models.vrn import VRN
from facelab.models.whitening import WhitenedParameters

__all__ = [
    "CLN",
    "FAN",
    "HPM",
    "REPVGG_TRUNKS",
    "TDDFA",
    "TRUNKS",
    "VRN",
    "Bottleneck",
    "ConvolutionInstead",
    "CoordinateAttention",
    "CoordinateAttentionTransformer",
    "DepthRegression",
    "DirectRegression",
    "FANDepth",
    "HeatmapRegression",
    "Hourglass",
    "LandmarkFit",
    "LandmarkRegressor",
    "MobileNetV1",
    "MobileNetV3",
    "PRNet",
    "PartCascade",
    "PartDetection",
    "PartRegression",
    "RepVGG",
    "RepVGGBlock",
    "ResNet22",
    "TwoStage",
    "WhitenedParameters",
    "deployed",
    "fit_landmarks",
    "for_inference",
    "for_training",
    "multiply_adds",
    "multiply_adds_as_printed",
    "positions_of",
    "shares_of",
]
