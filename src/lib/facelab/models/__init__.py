"""The networks of the five papers."""

from facelab.models.blocks import HPM, Bottleneck
from facelab.models.fan import FAN, Hourglass
from facelab.models.landmark_regressor import LandmarkRegressor

__all__ = ["FAN", "HPM", "Bottleneck", "Hourglass", "LandmarkRegressor"]
