"""How a network is trained, whatever it is trained for."""

from facelab.training.checkpoint import load_checkpoint, save_checkpoint
from facelab.training.device import pick_device
from facelab.training.loop import fit, steps, warmup_cosine
from facelab.training.prefetch import Prefetch

__all__ = ["Prefetch", "fit", "load_checkpoint", "pick_device", "save_checkpoint", "steps", "warmup_cosine"]
