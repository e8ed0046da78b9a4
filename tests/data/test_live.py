"""Faces drawn on demand are those of the cache."""

from dataclasses import replace

import pytest
import torch

from facelab.data import FaceSample, LiveFaces, SyntheticFaces
from facelab.data.synthetic.faces import seeded
from facelab.training import Endless


@pytest.mark.parametrize("jaw", ["3d", "2d"])
def test_the_same_generator_draws_the_faces_of_the_cache(
    jaw: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACELAB_CACHE", str(tmp_path_factory.getbasetemp() / "live"))
    kept = SyntheticFaces(32, 48, seed=3, jaw=jaw)
    drawn = LiveFaces(32, 48, jaw=jaw).draw(32, seeded(3, 0))
    stacked = FaceSample.stack([kept[index] for index in range(32)])
    assert float((drawn.image - stacked.image).abs().max()) <= 0.5001 / 255  # eight bits a channel in the cache
    for name in ("landmarks", "visible", "box", "pose", "parameters"):
        torch.testing.assert_close(getattr(drawn, name), getattr(stacked, name), atol=1e-4, rtol=0)


def test_the_outline_comes_with_the_jaw_on_the_head(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever rule the labels have, both jaws are those that the cache knows."""
    monkeypatch.setenv("FACELAB_CACHE", str(tmp_path_factory.getbasetemp() / "live"))
    kept = SyntheticFaces(32, 48, seed=3)
    (faces, outline), (same, again) = (
        LiveFaces(32, 48, jaw=jaw).draw_with_outline(32, seeded(3, 0)) for jaw in ("3d", "2d")
    )
    assert outline.shape == (32, 17, 2) and torch.equal(outline, again)
    assert torch.equal(faces.landmarks, same.landmarks) and torch.equal(faces.box, same.box)
    torch.testing.assert_close(faces.landmarks, kept.landmarks, atol=1e-4, rtol=0)
    torch.testing.assert_close(outline, kept.contours, atol=1e-4, rtol=0)
    assert float((outline - faces.landmarks[:, :17, :2]).norm(dim=2).amax()) > 2  # pixels: a turned head's far cheek


def test_batches_depend_on_the_generator_alone() -> None:
    live = LiveFaces(1000, 32, camera=None)
    assert isinstance(live, Endless) and len(live) == 1000
    first, again, other = (live.draw(4, torch.Generator().manual_seed(seed)).image for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="count >= 1, size >= 16, got 0, 32"):
        LiveFaces(0, 32)
    with pytest.raises(ValueError, match="jaw: expected '3d' or '2d', got '4d'"):
        LiveFaces(1, 32, jaw="4d")


def test_a_sample_moves_whole() -> None:
    batch = LiveFaces(4, 32, camera=None).draw(2, torch.Generator().manual_seed(0))
    moved = batch.to("meta")
    assert all(getattr(moved, name).is_meta for name in ("image", "landmarks", "visible", "box", "pose", "parameters"))
    assert moved.name == batch.name and replace(moved, name="x").markup == "68"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_draws_the_same_faces() -> None:
    here, there = (
        LiveFaces(8, 64, camera=None, device=device).draw(8, torch.Generator().manual_seed(5))
        for device in ("cpu", "cuda")
    )
    assert there.image.is_cuda
    torch.testing.assert_close(there.landmarks.cpu(), here.landmarks, atol=1e-3, rtol=0)
    different = (there.image.cpu() - here.image).abs().amax(1) > 2 / 255
    assert float(different.float().mean()) < 1e-3
