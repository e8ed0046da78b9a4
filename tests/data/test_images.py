"""Pictures of every kind, and files that are none."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facelab.data import read_image


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "CMYK"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.tiff" if mode == "CMYK" else "a.png")
    Image.fromarray(np.full((5, 7, 3), 255, np.uint8)).convert(mode).save(path)
    image = read_image(path)
    assert image.shape == (3, 5, 7) and image.dtype == torch.float32
    assert float(image.min()) == 1.0


def test_exif_turns_the_picture_upright(tmp_path: Path) -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    image = read_image(tmp_path / "a.png")
    assert image.shape == (3, 6, 4) and float(image[:, 0, 3].min()) == 1.0


def test_what_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone.png: no such picture"):
        read_image(tmp_path / "gone.png")
    (tmp_path / "text.png").write_text("not a picture")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(tmp_path / "half.png")
    whole = (tmp_path / "half.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    for name in ("text.png", "half.png"):
        with pytest.raises(ValueError, match=f"{name}: expected a readable picture"):
            read_image(tmp_path / name)
