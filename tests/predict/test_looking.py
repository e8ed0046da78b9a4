"""Heatmaps and meshes of a photograph."""

from pathlib import Path

import pytest
import torch

from facelab import load, predict
from facelab.markups import convert
from facelab.predict import PredictedFace, Predictor


@pytest.fixture(scope="module")
def portrait() -> torch.Tensor:
    return predict.open_photograph()


@pytest.fixture(scope="module")
def methods() -> dict[str, Predictor]:
    return {name: load(name) for name in ("two_stage", "fan", "tddfa")}


@pytest.fixture(scope="module")
def faces(methods: dict[str, Predictor], portrait: torch.Tensor) -> dict[str, PredictedFace]:
    (found,) = methods["fan"].faces(portrait)
    return predict.same_box(methods, portrait, found.box)


@pytest.mark.parametrize("name", ["fan", "two_stage"])
def test_heatmaps_lie_where_the_landmarks_are(
    methods: dict[str, Predictor], faces: dict[str, PredictedFace], portrait: torch.Tensor, name: str
) -> None:
    view = predict.heatmap_view(methods[name], portrait, faces[name].box, size=160, fine=40)
    assert view.image.shape == (3, 160, 160) and view.maps.shape == (66, 40, 40)
    assert 0 < view.peak < 1.3 and 0.7 < float(view.maps.max()) <= 1 and float(view.maps.min()) >= 0
    places = view.maps.flatten(1).argmax(1)
    tops = 4 * torch.stack([places % 40, places // 40], 1) + 1.5
    assert float((tops - view.points).norm(dim=1).median()) < 8  # of 160 pixels
    _, affine = predict.face_crop(portrait, faces[name].box, 160)
    own = convert(faces[name].landmarks[:, :2], faces[name].markup, "66")
    torch.testing.assert_close(affine.apply(own[None])[0], view.points)


def test_methods_without_heatmaps_are_refused(methods: dict[str, Predictor], portrait: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="fan or two_stage"):
        predict.heatmap_view(methods["tddfa"], portrait, torch.tensor([100.0, 100, 200, 200]))


def test_a_mesh_has_the_colours_of_the_photograph(faces: dict[str, PredictedFace], portrait: torch.Tensor) -> None:
    """A photograph of one half red and one half blue, with the border at the tip of the nose."""
    face = faces["tddfa"]
    border = int(face.landmarks[30, 0])
    halves = torch.zeros_like(portrait)
    halves[0, :, :border], halves[2, :, border:] = 1, 1
    mesh = predict.painted_mesh(face, halves)
    assert mesh.vertices.shape == mesh.colours.shape and int(mesh.triangles.max()) < len(mesh.vertices)
    across = mesh.vertices[:, 0]  # cm; what lies farther out may be hidden, and has the colour of its mirror point
    left, right = (across > -4) & (across < -1.5), (across > 1.5) & (across < 4)
    assert float(mesh.colours[left, 0].mean()) > 0.8 and float(mesh.colours[right, 2].mean()) > 0.8
    with pytest.raises(ValueError, match="tddfa or cln"):
        predict.painted_mesh(faces["fan"], portrait)


def test_every_method_is_drawn_on_the_face(faces: dict[str, PredictedFace], portrait: torch.Tensor) -> None:
    figure = predict.draw_methods(portrait, faces)
    assert [ax.get_title() for ax in figure.axes if ax.get_title()] == ["the box", *faces]
    for ax in figure.axes[1:4]:
        points = ax.lines[-1].get_xydata()
        assert len(points) in (66, 68) and points.min() > 0 and points.max() < 192


def test_meshes_are_saved(faces: dict[str, PredictedFace], portrait: torch.Tensor, tmp_path: Path) -> None:
    mesh = predict.painted_mesh(faces["tddfa"], portrait)
    predict.save_meshes({"tddfa": mesh}, tmp_path / "new" / "folder")
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == {"tddfa.obj", "tddfa.ply"}
    taken = tmp_path / "file"
    taken.write_text("")
    with pytest.raises(ValueError, match="there is a file of that name"):
        predict.save_meshes({"tddfa": mesh}, taken)
