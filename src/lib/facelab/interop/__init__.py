"""Networks of other packages as networks of this one, and how to find where two of them part."""

from facelab.interop.aligner import Aligned, Aligner
from facelab.interop.comparison import Comparison, Step, first_difference
from facelab.interop.fan import fan_depth_names, fan_names, load_fan, load_fan_depth
from facelab.interop.guidance import landmark_maps
from facelab.interop.tddfa import Alignment, TddfaPredictor, load_tddfa

__all__ = [
    "Aligned",
    "Aligner",
    "Alignment",
    "Comparison",
    "Step",
    "TddfaPredictor",
    "fan_depth_names",
    "fan_names",
    "first_difference",
    "landmark_maps",
    "load_fan",
    "load_fan_depth",
    "load_tddfa",
]
