"""Readers of the real data sets; :func:`open_dataset` finds them by name."""

from facelab.data.readers.aflw2000_3d import AFLW2000
from facelab.data.readers.base import FaceFiles
from facelab.data.readers.registry import DATA_SETS, DataSet, official_count, open_dataset, options_of

__all__ = ["AFLW2000", "DATA_SETS", "DataSet", "FaceFiles", "official_count", "open_dataset", "options_of"]
