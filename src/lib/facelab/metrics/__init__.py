"""Errors of landmarks, what tables and curves make of them, and how sure the numbers are.

All sums are in float64. Errors are fractions, one for each face; percent is for tables.
"""

from facelab.metrics.aflw import nme_aflw, to_21
from facelab.metrics.curves import auc, ced, failure_rate
from facelab.metrics.intervals import Interval, bootstrap, bootstrap_draws, by_pose_intervals, interval
from facelab.metrics.landmark_error import nme, per_landmark
from facelab.metrics.normalizers import NORMALIZERS, normalizer_lengths
from facelab.metrics.pose import by_pose
from facelab.metrics.roughness import bending, high_frequency_energy
from facelab.metrics.shape import cvgtce, gte, nme_3d
from facelab.metrics.video import stability

__all__ = [
    "NORMALIZERS",
    "Interval",
    "auc",
    "bending",
    "bootstrap",
    "bootstrap_draws",
    "by_pose",
    "by_pose_intervals",
    "ced",
    "cvgtce",
    "failure_rate",
    "gte",
    "high_frequency_energy",
    "interval",
    "nme",
    "nme_3d",
    "nme_aflw",
    "normalizer_lengths",
    "per_landmark",
    "stability",
    "to_21",
]
