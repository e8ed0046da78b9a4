"""Errors of landmarks and what tables and curves make of them."""

from facelab.metrics.alignment import auc, by_pose, ced, failure_rate, nme

__all__ = ["auc", "by_pose", "ced", "failure_rate", "nme"]
