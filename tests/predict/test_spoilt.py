"""Photographs that were spoilt on purpose: what is spoilt, and that the truth is still true."""

import pytest
import torch

from facelab.predict.spoilt import KINDS, Spoilt, spoilt_faces


@pytest.fixture(scope="module")
def faces() -> list[Spoilt]:
    return spoilt_faces(2 * len(KINDS), seed=5)


def _by_kind(faces: list[Spoilt], kind: str) -> list[Spoilt]:
    return [face for face in faces if face.kind == kind]


def test_kinds_take_turns_and_the_seed_decides(faces: list[Spoilt]) -> None:
    assert [face.kind for face in faces] == [*KINDS, *KINDS]
    again = spoilt_faces(2 * len(KINDS), seed=5)
    assert all(torch.equal(one.image, other.image) for one, other in zip(faces, again, strict=True))
    assert all(torch.equal(one.box, other.box) for one, other in zip(faces, again, strict=True))


def test_pictures_are_pictures(faces: list[Spoilt]) -> None:
    for face in faces:
        assert face.image.shape[0] == 3 and min(face.image.shape[1:]) >= 8
        assert float(face.image.min()) >= 0 and float(face.image.max()) <= 1
        assert bool((face.box[2:] > face.box[:2]).all()) and face.landmarks.shape == (68, 3)


def test_the_truth_moves_with_the_picture(faces: list[Spoilt]) -> None:
    """In all kinds but one the box is still about the landmarks."""
    for face in faces:
        low, high = face.landmarks[:, :2].amin(0), face.landmarks[:, :2].amax(0)
        far = (face.box - torch.cat([low, high])).abs().max() / (high - low).max()
        assert far < 0.2 or face.kind == "box astray", face.kind


def test_small_faces_are_small_and_the_others_are_not(faces: list[Spoilt]) -> None:
    sides = {kind: [float((f.box[2:] - f.box[:2]).max()) for f in _by_kind(faces, kind)] for kind in KINDS}
    assert all(5 < side < 62 for side in sides["small"])
    assert all(side > 62 for kind in KINDS if kind != "small" for side in sides[kind])


def test_photographs_end_within_boxes_that_are_cut(faces: list[Spoilt]) -> None:
    for face in _by_kind(faces, "cut off"):
        end = torch.tensor([face.image.shape[2], face.image.shape[1]]) - 0.5
        assert bool((face.box[:2] < 0).any() or (face.box[2:] > end).any())


def test_light_changes_as_it_should() -> None:
    dark, bright, plain = (
        torch.stack([face.image.mean() for face in spoilt_faces(8, seed=6, kinds=[kind])]).mean()
        for kind in ("dark", "overexposed", "as it is")
    )
    assert dark < 0.7 * plain and bright > 1.3 * plain


def test_unknown_kinds_are_named() -> None:
    with pytest.raises(ValueError, match="kinds: expected some of as it is, small"):
        spoilt_faces(1, 0, kinds=["burnt"])
