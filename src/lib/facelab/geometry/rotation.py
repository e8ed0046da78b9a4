"""Head rotations: three angles to a matrix and back, in the sign convention of 300W-LP.

Model space is right-handed: x to the right of the image, y up, z towards the viewer. Angles are radians.
Positive pitch raises the chin, positive yaw turns the nose to the left of the image, positive roll tilts the head
clockwise on the screen.
"""

import torch
from torch import Tensor

Angle = Tensor | float


def rotation_matrix(pitch: Angle, yaw: Angle, roll: Angle) -> Tensor:
    """Rotation ``R = Rx(-pitch) @ Ry(-yaw) @ Rz(-roll)`` of a head; a model point ``v`` goes to ``R @ v``.

    Args:
        pitch, yaw, roll: radians, tensors of any common (broadcastable) shape ``S`` or plain numbers.
    Returns:
        ``(*S, 3, 3)``.
    Source: the order and signs of 300W-LP's ``Pose_Para`` (Zhu et al. 2016).
    """
    angles = torch.broadcast_tensors(*(torch.as_tensor(angle) for angle in (pitch, yaw, roll)))
    (cp, sp), (cy, sy), (cr, sr) = ((angle.cos(), angle.sin()) for angle in angles)
    rows = [
        torch.stack([cy * cr, cy * sr, -sy], -1),
        torch.stack([sp * sy * cr - cp * sr, sp * sy * sr + cp * cr, sp * cy], -1),
        torch.stack([cp * sy * cr + sp * sr, cp * sy * sr - sp * cr, cp * cy], -1),
    ]
    return torch.stack(rows, -2)


def rotation_angles(rotation: Tensor) -> Tensor:
    """The angles of :func:`rotation_matrix`, right at every yaw in (-180, 180] degrees.

    Two triples of angles describe one rotation. The one whose pitch lies within +-90 degrees is returned, so a head
    turned past the profile has a yaw above 90 degrees and no pitch of 180. At a yaw of exactly +-90 degrees only
    the sum of pitch and roll is defined; the pitch is then set to 0.

    Args:
        rotation: ``(*S, 3, 3)`` rotation matrices.
    Returns:
        ``(*S, 3)``: pitch, yaw, roll in radians.
    Raises:
        ValueError: if the last two sizes are not 3 x 3.
    """
    if rotation.shape[-2:] != (3, 3):
        raise ValueError(f"rotation: expected shape (..., 3, 3), got {tuple(rotation.shape)}")
    r = rotation
    cos_yaw = torch.hypot(r[..., 1, 2], r[..., 2, 2])
    sign = torch.where(r[..., 2, 2] < 0, -1.0, 1.0).to(r)  # picks the triple with |pitch| <= 90 degrees
    yaw = torch.atan2(-r[..., 0, 2], sign * cos_yaw)
    pitch = torch.atan2(sign * r[..., 1, 2], sign * r[..., 2, 2])
    roll = torch.atan2(sign * r[..., 0, 1], sign * r[..., 0, 0])
    locked = cos_yaw < 1e-6
    locked_roll = torch.atan2(-r[..., 1, 0], r[..., 1, 1])
    pitch = torch.where(locked, torch.zeros_like(pitch), pitch)
    return torch.stack([pitch, yaw, torch.where(locked, locked_roll, roll)], -1)
