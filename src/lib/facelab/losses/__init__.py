"""What the networks are trained to make small."""

from facelab.losses.adaptive import adaptive_wing
from facelab.losses.anisotropy import anisotropic, anisotropic_weights
from facelab.losses.cln import cln_loss, wing_of_vertices
from facelab.losses.contours import across_and_along, tangents
from facelab.losses.coordinates import l1, l2, smooth_l1, wing
from facelab.losses.heatmap import stacked_heatmap_l2
from facelab.losses.parameters import pdc
from facelab.losses.vertices import ShapeGram, vdc, vdc_of_vertices
from facelab.losses.weighted import fwpdc, fwpdc_weights, wpdc, wpdc_weights

__all__ = [
    "ShapeGram",
    "across_and_along",
    "adaptive_wing",
    "anisotropic",
    "anisotropic_weights",
    "cln_loss",
    "fwpdc",
    "fwpdc_weights",
    "l1",
    "l2",
    "pdc",
    "smooth_l1",
    "stacked_heatmap_l2",
    "tangents",
    "vdc",
    "vdc_of_vertices",
    "wing",
    "wing_of_vertices",
    "wpdc",
    "wpdc_weights",
]
