"""Morphable faces: the model, the face that ships with the library, readers of others, and meshes to files."""

from facelab.face3d.bfm import read_bfm
from facelab.face3d.builtin import builtin_face
from facelab.face3d.dressing import dress
from facelab.face3d.ict_facekit import get_ict_facekit, read_ict_facekit
from facelab.face3d.mesh_files import ply_bytes, write_obj, write_ply
from facelab.face3d.model import MorphableModel
from facelab.face3d.normals import vertex_normals
from facelab.face3d.parameters import ParameterStatistics, landmarks_of_parameters
from facelab.face3d.texture import uv_texture
from facelab.face3d.volumes import iso_surface, voxelize

__all__ = [
    "MorphableModel",
    "ParameterStatistics",
    "builtin_face",
    "dress",
    "get_ict_facekit",
    "iso_surface",
    "landmarks_of_parameters",
    "ply_bytes",
    "read_bfm",
    "read_ict_facekit",
    "uv_texture",
    "vertex_normals",
    "voxelize",
    "write_obj",
    "write_ply",
]
