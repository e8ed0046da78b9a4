"""Pictures from files."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor


def read_image(path: str | Path) -> Tensor:
    """Reads a picture, turned upright by its EXIF tag; grey, palette and transparent ones become RGB.

    Returns:
        ``(3, H, W)`` float32 in [0, 1].
    Raises:
        FileNotFoundError: if there is no such file. ValueError: if it is not a picture that can be read to its end.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such picture")
    try:
        with Image.open(path) as picture:
            pixels = np.array(ImageOps.exif_transpose(picture).convert("RGB"))
    except Exception as error:  # every decoder has its own kinds: ValueError, struct.error, DecompressionBombError ...
        raise ValueError(f"{path}: expected a readable picture (PNG, JPEG ...): {error}") from error
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
