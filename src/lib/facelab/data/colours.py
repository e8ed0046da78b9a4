"""Colours of people, RGB in [0, 1] as seen on a screen under white light, each table from one end to the other."""

import torch

SKIN_TONES = torch.tensor([
    (0.94, 0.79, 0.70), (0.91, 0.74, 0.63), (0.87, 0.68, 0.55), (0.79, 0.59, 0.45), (0.68, 0.48, 0.35),
    (0.55, 0.38, 0.28), (0.42, 0.29, 0.22), (0.33, 0.23, 0.18),
])  # fmt: skip
HAIR_COLOURS = torch.tensor([
    (0.10, 0.09, 0.08), (0.16, 0.12, 0.10), (0.26, 0.18, 0.13), (0.38, 0.27, 0.18), (0.48, 0.28, 0.16),
    (0.66, 0.50, 0.31), (0.80, 0.68, 0.47),
])  # fmt: skip
