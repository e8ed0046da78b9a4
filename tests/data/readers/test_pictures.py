"""Pictures of every kind, whole and damaged, as the readers check them."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facelab.data.images import read_image
from facelab.data.readers import open_dataset
from facelab.data.readers.base import picture_size

FAST = settings(max_examples=200)
KINDS = ("JPEG", "PNG", "PPM", "BMP", "GIF")


def _picture(kind: str, mode: str = "RGB", orientation: object = 1) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (24, 20, 3), np.uint8)
    picture = Image.fromarray(pixels).convert(mode)
    exif = picture.getexif()
    exif[0x0112] = orientation
    content = io.BytesIO()
    picture.save(content, kind, **({"exif": exif} if kind in ("JPEG", "PNG") else {}))
    return content.getvalue()


@pytest.mark.parametrize(
    ("kind", "mode"),
    [(kind, mode) for kind in KINDS for mode in ("RGB", "L")]
    + [("PNG", "P"), ("PNG", "RGBA"), ("PNG", "1"), ("GIF", "P"), ("BMP", "P"), ("JPEG", "CMYK"), ("PPM", "1")],
)
def test_size_is_that_of_the_picture_read(tmp_path: Path, kind: str, mode: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(_picture(kind, mode))
    assert picture_size(path) == (20, 24)
    assert read_image(path).shape == (3, 24, 20)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(10))
def test_size_follows_the_orientation(tmp_path: Path, kind: str, orientation: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(_picture(kind, orientation=orientation))
    width, height = picture_size(path)
    assert read_image(path).shape == (3, height, width)


def test_an_orientation_that_is_no_number(tmp_path: Path) -> None:
    """The byte after the tag tells what is stored; as raw bytes (7) it cannot be compared with a number."""
    entry = struct.pack(">HHIH", 0x0112, 3, 1, 6)
    whole = _picture("JPEG", orientation=6)
    assert entry in whole
    path = tmp_path / "a"
    for stored in range(14):
        path.write_bytes(whole.replace(entry, struct.pack(">HHIH", 0x0112, stored, 1, 6)))
        assert picture_size(path) in ((20, 24), (24, 20))


@FAST
@given(
    kind=st.sampled_from(KINDS),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=5),
    cut=st.integers(0, 2000),
)
def test_damage_raises_value_errors_that_name_the_file(
    tmp_path_factory: pytest.TempPathFactory, kind: str, changes: list[tuple[int, int]], cut: int
) -> None:
    content = bytearray(_picture(kind)[:cut])
    for place, value in changes:
        if place < len(content):
            content[place] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    for read in (picture_size, read_image):
        try:
            found = read(path)
        except ValueError as error:
            if str(path) not in str(error):
                raise AssertionError("the message names no file") from error
        else:
            assert min(found if isinstance(found, tuple) else found.shape[1:]) > 0


def test_the_folder_of_the_shell_may_be_named_by_a_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "AFLW2000" / "Code").mkdir(parents=True)
    (tmp_path / "AFLW2000" / "image00002.mat").touch()
    monkeypatch.chdir(tmp_path / "AFLW2000" / "Code")
    with pytest.raises(FileNotFoundError, match=f"{tmp_path / 'AFLW2000'} looks like it: give that folder"):
        open_dataset("AFLW2000-3D", ".")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("300W-LP", {}), ("AFLW2000-3D", {}), ("300W", {}), ("300-VW", {}), ("WFLW", {}), ("COFW", {}),
        ("COFW-68", {}), ("AFLW", {}), ("AFLW", {"points": 19}), ("MERL-RAV", {}), ("3DFAW", {}), ("Menpo", {}),
        ("LS3D-W", {}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("strict", [True, False])
def test_an_empty_or_missing_folder_is_told_with_what_it_should_hold(
    tmp_path: Path, name: str, options: dict[str, int], strict: bool
) -> None:
    folder = tmp_path / "alone" / "empty"
    folder.mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=f"{folder}: expected .*; found nothing like it$"):
        open_dataset(name, folder, strict=strict, **options)
    with pytest.raises(FileNotFoundError, match=f"gone: no such folder; expected that of {name}: "):
        open_dataset(name, folder / "gone", strict=strict, **options)
