"""Colours of faces: in range, repeatable, never black, and on the right vertices."""

import dataclasses

import pytest
import torch

from facelab.data.synthetic.appearance import (
    DEFAULT_PALETTE,
    default_albedo,
    paint,
    sample_albedo,
    sample_palette,
    skin_noise,
)
from facelab.face3d import MorphableModel, builtin_face


@pytest.fixture(scope="module")
def face() -> MorphableModel:
    return builtin_face()


def test_albedo_is_in_range_and_repeats(face: MorphableModel) -> None:
    first, again, other = (sample_albedo(face, torch.Generator().manual_seed(seed)) for seed in (4, 4, 5))
    assert first.shape == (face.mean.shape[1], 3)
    assert first.dtype == torch.float32
    assert 0 <= first.min() <= first.max() <= 1
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(default_albedo(face), default_albedo(face))


def test_skin_spans_the_human_range_and_is_never_black(face: MorphableModel) -> None:
    cheeks = face.masks["cheeks"] > 0.5
    generator = torch.Generator().manual_seed(0)
    tones = torch.stack([sample_albedo(face, generator)[cheeks].mean(0) for _ in range(80)])
    assert tones[:, 0].min() > 0.3
    assert tones[:, 0].min() < 0.5
    assert tones[:, 0].max() > 0.85
    assert bool((tones[:, 0] > tones[:, 1]).all())  # skin is warm
    assert bool((tones[:, 1] > tones[:, 2]).all())


def test_features_have_their_colours(face: MorphableModel) -> None:
    albedo = default_albedo(face)

    def mean(mask: str, above: float = 0.9) -> torch.Tensor:
        return albedo[face.masks[mask] > above].mean(0)

    skin = mean("cheeks", 0.3)
    assert mean("pupil").max() < 0.1
    assert mean("brows").mean() < 0.6 * skin.mean()
    lips = mean("lips")
    assert lips[0] / lips[1] > 1.15 * skin[0] / skin[1]  # redder than the skin
    assert mean("nostrils", 0.7).mean() < 0.6 * skin.mean()
    hair = albedo[face.region == face.region_names.index("hair")].mean(0)
    torch.testing.assert_close(hair, torch.tensor(DEFAULT_PALETTE.hair), rtol=0.1, atol=0.02)


def test_glasses_change_only_what_they_cover(face: MorphableModel) -> None:
    worn = dataclasses.replace(DEFAULT_PALETTE, glasses=1.0)
    with_glasses, without = (paint(face, p, torch.Generator().manual_seed(0)) for p in (worn, DEFAULT_PALETTE))
    changed = (with_glasses != without).any(dim=1)
    assert bool(changed[face.masks["glasses_frame"] > 0.5].all())
    assert not changed[face.masks["glasses_frame"] == 0].any()


def test_some_faces_have_glasses_and_beards() -> None:
    generator = torch.Generator().manual_seed(1)
    palettes = [sample_palette(generator) for _ in range(200)]
    assert 10 < sum(p.glasses > 0 for p in palettes) < 60
    assert 25 < sum(p.beard > 0 for p in palettes) < 80


def test_a_model_without_masks_is_plain_skin(face: MorphableModel) -> None:
    bare = dataclasses.replace(face, masks={}, region=torch.zeros_like(face.region), region_names=("surface",))
    palette = dataclasses.replace(DEFAULT_PALETTE, noise=0.0)
    albedo = paint(bare, palette, torch.Generator().manual_seed(0))
    torch.testing.assert_close(albedo, torch.tensor(palette.skin).expand_as(albedo))


def test_noise_does_not_depend_on_the_unit(face: MorphableModel) -> None:
    metres = dataclasses.replace(face, unit="m", mean=face.mean / 100)
    a, b = (skin_noise(model, torch.Generator().manual_seed(0)) for model in (face, metres))
    torch.testing.assert_close(a, b, rtol=0, atol=1e-3)
    assert 0.2 < a.std() < 1.0
