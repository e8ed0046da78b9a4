"""How a network is trained, whatever it is trained for."""

from facelab.training.checkpoint import load_checkpoint, save_checkpoint
from facelab.training.describe import describe
from facelab.training.device import pick_device
from facelab.training.ema import Ema
from facelab.training.feed import Endless, Feed, Redrawn
from facelab.training.guards import Interrupted
from facelab.training.loop import Fitted, Recipe, fit
from facelab.training.meta_joint import MetaJoint, TwoLosses
from facelab.training.order import Order, generator_for
from facelab.training.plan import OPTIMIZERS, Optimizer, Training
from facelab.training.precision import PRECISIONS, Precision
from facelab.training.prefetch import Prefetch
from facelab.training.schedules import Constant, Geometric, Schedule, Steps, WarmupCosine
from facelab.training.weights import load_weights, save_weights
from facelab.training.world import World, joined

__all__ = [
    "OPTIMIZERS",
    "PRECISIONS",
    "Constant",
    "Ema",
    "Endless",
    "Feed",
    "Fitted",
    "Geometric",
    "Interrupted",
    "MetaJoint",
    "Optimizer",
    "Order",
    "Precision",
    "Prefetch",
    "Recipe",
    "Redrawn",
    "Schedule",
    "Steps",
    "Training",
    "TwoLosses",
    "WarmupCosine",
    "World",
    "describe",
    "fit",
    "generator_for",
    "joined",
    "load_checkpoint",
    "load_weights",
    "pick_device",
    "save_checkpoint",
    "save_weights",
]
