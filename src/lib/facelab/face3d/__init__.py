"""The morphable face: the model, the face that ships with the library, and meshes to files."""

from facelab.face3d.builtin import builtin_face
from facelab.face3d.mesh_files import write_obj, write_ply
from facelab.face3d.model import MorphableModel
from facelab.face3d.normals import vertex_normals

__all__ = ["MorphableModel", "builtin_face", "vertex_normals", "write_obj", "write_ply"]
