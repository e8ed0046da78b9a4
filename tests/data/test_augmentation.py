"""Augmentation: the ranges asked for, the papers' presets, and pictures that stay pictures."""

import json
import math
from dataclasses import asdict, fields, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from facelab.data.augmentation import PRESETS, Augmentation, preset
from facelab.geometry import Affine

FULL = replace(preset("strong"), occlusion=1.0, grey=0.5, shade=1.0, blur=1.0, motion=1.0, low_resolution=1.0, jpeg=1.0)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _pictures(seed: int = 0, count: int = 6, size: int = 24) -> Tensor:
    return torch.rand(count, 3, size, size, generator=_generator(seed))


@given(seed=st.integers(0, 10_000))
def test_photometry_leaves_a_picture_and_repeats_itself(seed: int) -> None:
    images = _pictures(seed)
    before = images.clone()
    changed = FULL.photometry(images, _generator(seed))
    assert torch.equal(images, before)
    assert changed.shape == images.shape and float(changed.min()) >= 0 and float(changed.max()) <= 1
    assert torch.equal(FULL.photometry(images, _generator(seed)), changed)
    assert not torch.equal(FULL.photometry(images, _generator(seed + 1)), changed)


def test_each_face_has_its_own_numbers() -> None:
    same = _pictures(count=1).expand(40, -1, -1, -1)
    changed = preset("strong").photometry(same, _generator())
    assert len({float(picture.mean()) for picture in changed}) == 40
    others = same.clone()
    others[1:] = 0.3
    alone = preset("strong").photometry(others, _generator())
    torch.testing.assert_close(alone[0], changed[0], atol=1e-5, rtol=0)


def test_nothing_is_the_default() -> None:
    images = _pictures()
    torch.testing.assert_close(Augmentation().photometry(images, _generator()), images)
    affine, mirrored = Augmentation().geometry(24, 5, _generator())
    torch.testing.assert_close(affine.matrix, torch.eye(2, 3).expand(5, -1, -1), atol=1e-5, rtol=0)
    assert not mirrored.any()
    same, covered = Augmentation().occluded(images, None, _generator())
    assert torch.equal(same, images) and not covered.any()


@pytest.mark.parametrize(
    ("field", "value"),
    [("grey", 1.0), ("gamma", 0.8), ("offset", 0.2), ("gain", (0.5, 0.6)), ("saturation", (0.0, 0.5)), ("noise", 0.1),
     ("shade", 1.0), ("blur", 1.0), ("motion", 1.0), ("low_resolution", 1.0), ("jpeg", 1.0)],
)  # fmt: skip
def test_every_field_does_something_on_its_own(field: str, value: object) -> None:
    images = _pictures(size=64)
    changed = Augmentation(**{field: value}).photometry(images, _generator(2))  # type: ignore[arg-type]
    assert float((changed - images).abs().mean((1, 2, 3)).min()) > 1e-4


def test_grey_pictures_are_nearly_colourless() -> None:
    images = _pictures()
    spread = Augmentation(grey=1.0).photometry(images, _generator()).std(1).mean()
    assert float(spread) < 0.16 * float(images.std(1).mean())


def test_geometry_keeps_to_its_ranges_and_fills_them() -> None:
    change = Augmentation(rotation=40, scale=(0.8, 1.3), shift=0.1, mirror=0.3)
    affine, mirrored = change.geometry(64, 4000, _generator())
    linear = affine.matrix[:, :, :2]
    assert torch.equal(torch.det(linear) < 0, mirrored)
    assert float(mirrored.float().mean()) == pytest.approx(0.3, abs=0.03)
    scale = affine.scale()
    assert 0.8 <= float(scale.min()) < 0.81 and 1.29 < float(scale.max()) <= 1.3 + 1e-5
    angle = torch.rad2deg(torch.atan2(-linear[:, 0, 1], linear[:, 1, 1]))  # the second column knows no mirror
    assert -40.01 <= float(angle.min()) < -39 and 39 < float(angle.max()) <= 40.01
    centre = torch.full((1, 1, 2), 31.5)
    moved = (affine.apply(centre.expand(4000, -1, -1)) - centre)[:, 0] / 64
    assert 0.099 < float(moved.abs().max()) <= 0.1 + 1e-5


def _degrees(affine: Affine) -> Tensor:
    linear = affine.matrix[:, :, :2]
    return torch.rad2deg(torch.atan2(-linear[:, 0, 1], linear[:, 1, 1]))  # the second column knows no mirror


@pytest.mark.parametrize("name", ["two_stage", "fan", "fan-2d-to-3d", "tddfa", "strong"])
def test_uniform_numbers_are_five_of_the_generators_a_face(name: str) -> None:
    """Whatever else may be drawn: seeds of uniform augmentation mean what they always meant."""
    change, size, count = preset(name), 64, 500
    generator, own = _generator(5), _generator(5)
    affine, mirrored = change.geometry(size, count, generator)
    draw = torch.rand(5, count, generator=own)
    low, high = change.scale
    expected = Affine.about(
        torch.full((count, 2), (size - 1) / 2),
        torch.pi * change.rotation / 180 * (2 * draw[0] - 1),
        low + (high - low) * draw[1],
        change.shift * size * (2 * draw[2:4].T - 1),
        draw[4] < change.mirror,
    )
    torch.testing.assert_close(affine.matrix, expected.matrix, atol=3e-5, rtol=0)
    assert torch.equal(mirrored, draw[4] < change.mirror)
    assert torch.equal(generator.get_state(), own.get_state())


def test_the_released_rotation_is_normal_and_often_none() -> None:
    released = preset("fan-released")
    angle = _degrees(released.geometry(256, 20_000, _generator())[0])
    turned = angle[angle.abs() > 1e-4]
    assert len(turned) / len(angle) == pytest.approx(0.4, abs=0.01)
    assert float(turned.abs().max()) <= 60.001
    at_the_end = (turned.abs() > 59.999).float().mean()
    assert float(at_the_end) == pytest.approx(math.erfc(2 / math.sqrt(2)), abs=0.006)  # beyond two deviations
    assert float((turned.abs() < 30).float().mean()) == pytest.approx(math.erf(1 / math.sqrt(2)), abs=0.015)
    assert float(turned.mean()) == pytest.approx(0, abs=1)
    unlimited = replace(released, rotation=179, upright=0.0)
    assert float(_degrees(unlimited.geometry(256, 20_000, _generator())[0]).std()) == pytest.approx(30, rel=0.02)


def test_the_released_scale_is_normal_and_cut_at_its_ends() -> None:
    released = preset("fan-released")
    scale = released.geometry(256, 20_000, _generator())[0].scale()
    assert float(scale.min()) > 0.6999 and float(scale.max()) < 1.3001
    for end in (0.7, 1.3):  # one deviation from the middle
        share = ((scale - end).abs() < 1e-5).float().mean()
        assert float(share) == pytest.approx(math.erfc(1 / math.sqrt(2)) / 2, abs=0.01)
    unlimited = replace(released, scale=(0.01, 1.99)).geometry(256, 20_000, _generator())[0].scale()
    assert float(unlimited.std()) == pytest.approx(0.3, rel=0.02) and float(unlimited.mean()) == pytest.approx(
        1, abs=0.01
    )


def test_upright_is_independent_of_zoom_and_mirror() -> None:
    """And draws after them: these are what they are without it."""
    turning = Augmentation(rotation=40, scale=(0.8, 1.2), mirror=0.5)
    (plain, mirrored), (often, same) = (
        replace(turning, upright=share).geometry(64, 4000, _generator()) for share in (0.0, 0.5)
    )
    assert torch.equal(mirrored, same)
    torch.testing.assert_close(often.scale(), plain.scale())
    kept = _degrees(often).abs() > 1e-4
    torch.testing.assert_close(often.matrix[kept], plain.matrix[kept])
    assert float(kept[mirrored].float().mean()) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(
    ("name", "degrees", "scale", "mirror"),
    [("two_stage", 35, (0.85, 1.15), 0.5), ("fan", 50, (0.8, 1.2), 0.5), ("anisotropic", 30, (0.75, 1.25), 0.5),
     ("fan-2d-to-3d", 70, (0.7, 1.3), 0.5), ("fan-released", 60, (0.7, 1.3), 0.5),
     ("tddfa", 3, (0.95, 1.05), 0.0), ("cln", 0, (1.0, 1.0), 0.0)],
)  # fmt: skip
def test_presets_are_the_papers(name: str, degrees: float, scale: tuple[float, float], mirror: float) -> None:
    change = preset(name)
    assert (change.rotation, change.scale, change.mirror) == (degrees, scale, mirror)


def test_what_else_is_on_record() -> None:
    fan, video = preset("fan"), preset("tddfa")
    assert fan.gain == (0.7, 1.3) and fan.occluders == ("cutout",) and fan.noise == fan.blur == fan.jpeg == 0
    assert video.shift * 120 == pytest.approx(5) and video.length[1] * 120 == pytest.approx(5)
    assert video.noise * 255 == pytest.approx(3)
    assert replace(preset("fan-2d-to-3d"), rotation=50, scale=(0.8, 1.2)) == fan
    released = preset("fan-released")
    assert (released.rotation_deviation, released.scale_deviation, released.upright) == (30, 0.3, 0.6)
    assert released.occlusion == 0 and released.gain == fan.gain
    strong = preset("strong")
    assert (strong.rotation, strong.shift, strong.occlusion, strong.gamma) == (30, 0.08, 0.4, 0.8)
    assert 1 / strong.scale[0] == pytest.approx(1.15) and 1 / strong.scale[1] == pytest.approx(0.9)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_run_and_survive_json(name: str) -> None:
    change = preset(name)
    assert Augmentation(**json.loads(json.dumps(asdict(change)))) == change
    assert hash(change) == hash(preset(name))
    images, covered = change.occluded(_pictures(), None, _generator())
    assert change.photometry(images, _generator()).isfinite().all() and covered.shape == (6, 24, 24)


@pytest.mark.parametrize("field", [field.name for field in fields(Augmentation)])
def test_a_bad_number_is_named(field: str) -> None:
    value: object = getattr(Augmentation(), field)
    bad = ("umbrella",) if field == "occluders" else (2.0, 0.0) if isinstance(value, tuple) else -1.0
    with pytest.raises(ValueError, match=f"augmentation {field}: expected"):
        Augmentation(**{field: bad})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [("mirror", 1.5), ("rotation", math.nan), ("noise", math.inf), ("scale", (0.0, 1.0)), ("scale", (1.0,)),
     ("quality", (20, 101)), ("rotation_deviation", 0.0), ("scale_deviation", math.inf), ("upright", 1.1),
     ("reduction", (0.5, 2)), ("occluders", ())],
)  # fmt: skip
def test_bounds(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        Augmentation(**{field: value})  # type: ignore[arg-type]


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ValueError, match="preset: expected one of two_stage, fan, .* got 'weak'"):
        preset("weak")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_same_on_cuda() -> None:
    quiet = replace(FULL, noise=0.0)
    images = _pictures(size=48)
    there = quiet.photometry(images.cuda(), _generator())
    assert there.is_cuda
    assert float((there.cpu() - quiet.photometry(images, _generator())).abs().mean()) < 5e-3
