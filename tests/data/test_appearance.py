"""Colours of faces: in range, repeatable, never black, and on the right vertices."""

import dataclasses

import pytest
import torch

from facelab.data.draws import Draws
from facelab.data.synthetic.appearance import (
    coats,
    default_albedo,
    default_palette,
    sample_albedo,
    sample_palettes,
)
from facelab.data.synthetic.paint import blotches, lay
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
    torch.testing.assert_close(hair, default_palette().hair[0], rtol=0.15, atol=0.03)


def test_some_faces_have_stubble_and_some_are_made_up() -> None:
    palettes = sample_palettes(Draws(400, torch.Generator().manual_seed(1)))
    assert len(palettes) == 400
    for name, low, high in (("stubble", 0.15, 0.4), ("eye_paint_strength", 0.05, 0.3), ("freckles", 0.08, 0.25)):
        share = float((getattr(palettes, name) > 0).float().mean())
        assert low < share < high, name
    assert not bool(((palettes.stubble > 0) & (palettes.eye_paint_strength > 0)).any())


def test_a_model_without_masks_is_skin_with_blotches(face: MorphableModel) -> None:
    bare = dataclasses.replace(face, masks={}, region=torch.zeros_like(face.region), region_names=("surface",))
    palette = dataclasses.replace(default_palette(), mottle=torch.zeros(1))
    albedo = lay(bare, coats(palette))[0]
    torch.testing.assert_close(albedo, palette.skin.expand_as(albedo))


def test_blotches_do_not_depend_on_the_unit(face: MorphableModel) -> None:
    metres = dataclasses.replace(face, unit="m", mean=face.mean / 100)
    for number in range(6):
        torch.testing.assert_close(blotches(face, number), blotches(metres, number), rtol=0, atol=2e-3)
        assert 0.15 < float(blotches(face, number).std()) < 0.4
