"""facelab: the library under *From Heatmaps to Meshes: Face Alignment in Five Papers*."""

__version__ = "0.1.0"
