"""What a figure of speed must be read with."""

import os

import torch

from facelab import provenance as package

PEERS = ("onnx", "onnxscript", "onnxruntime", "face-alignment", "mmpose", "insightface", "timm")


def provenance() -> dict[str, object]:
    """That of the package, with the versions of what is compared, the load of the machine and the clock."""
    return {
        **package.provenance((*package.PACKAGES, *PEERS)),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "clock": "of the thread" if torch.get_num_threads() == 1 else "of the wall",
    }
