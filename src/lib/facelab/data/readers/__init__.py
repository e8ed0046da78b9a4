"""Real data sets, one file each."""

from facelab.data.readers.aflw2000_3d import AFLW2000

__all__ = ["AFLW2000"]
