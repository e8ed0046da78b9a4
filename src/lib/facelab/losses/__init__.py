"""What the networks are trained to make small."""

from facelab.losses.heatmap import stacked_heatmap_l2

__all__ = ["stacked_heatmap_l2"]
