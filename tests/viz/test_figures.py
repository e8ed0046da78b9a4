"""The figures that are built from faces, heatmaps and curves."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from facelab import viz
from facelab.data.synthetic.appearance import default_albedo
from facelab.face3d import builtin_face
from facelab.losses import stacked_heatmap_l2
from facelab.viz.faces import jpeg_address


def test_mode_sliders_move_mesh_and_landmarks_alike() -> None:
    face = builtin_face()
    modes = [("first", "identity", 0), ("jaw", "expression", face.expression_names.index("jaw_open"))]
    figure = viz.face_figure(face, default_albedo(face), "A face with two sliders for a test of them.", modes=modes)
    for label, kind, index in modes:
        mesh, dots = (blend for blend in figure.controls if blend.name == label)
        assert (mesh.trace, dots.trace) == (0, 1)
        np.testing.assert_array_equal(mesh.delta[face.landmarks.numpy()], dots.delta)
        coefficients = torch.zeros(1, index + 1)
        coefficients[0, index] = face.identity_std[index] if kind == "identity" else 1.0
        moved = face.vertices(**{kind: coefficients})[0] - face.vertices()[0]
        np.testing.assert_allclose(mesh.delta, moved.numpy(), atol=1e-4)
    with pytest.raises(ValueError, match="mode kind: expected identity or expression, got 'mood'"):
        viz.face_figure(face, default_albedo(face), "A face with a slider of no kind.", modes=[("x", "mood", 0)])


def test_rendered_views_show_a_face_on_paper() -> None:
    face = builtin_face()
    views = viz.render_views(face, face.vertices()[0], default_albedo(face), [-90, 0, 90], size=64)
    assert views.shape == (3, 64, 192)
    left, front, right = views.unfold(2, 64, 64).permute(2, 0, 1, 3)
    for view in (left, front, right):
        assert 0.3 < float((view.mean(0) < 0.97).float().mean()) < 0.9
    torch.testing.assert_close(left.mean(), right.flip(2).mean(), atol=0.03, rtol=0)


def test_curves_show_what_they_are_given() -> None:
    figure = viz.ced_figure({"a": torch.tensor([0.01, 0.02, 0.5]), "b": torch.tensor([0.2])}, 0.1, "bbox")
    (ax,) = figure.axes
    assert ax.lines[0].get_ydata()[-1] == pytest.approx(200 / 3) and ax.lines[1].get_ydata()[-1] == 0
    assert "AUC 56.7 %" in ax.lines[0].get_label() and "bbox" in ax.get_xlabel() and "(%)" in ax.get_ylabel()
    history = [{"epoch": 1.0, "loss": 0.1, "nme": 0.3}, {"epoch": 2.0, "loss": 0.05, "nme": 0.2}]
    left, right = viz.history_figure(history, 0.25).axes
    assert right.lines[0].get_ydata().tolist() == pytest.approx([30, 20]) and left.get_yscale() == "log"
    plt.close("all")


def test_a_sheet_has_a_picture_a_face() -> None:
    images = [torch.rand(3, 20, 20) for _ in range(7)]
    points = [torch.rand(68, 3) * 20 for _ in range(7)]
    figure = viz.face_sheet(images, [points], ["t"] * 7, columns=4)
    assert sum(bool(ax.images) for ax in figure.axes) == 7
    plt.close(figure)


def test_a_rim_goes_around_the_points_of_its_method_alone() -> None:
    images, points = [torch.rand(3, 20, 20)], [torch.rand(68, 2) * 20]
    colours, labels = ("red", "white"), ("truth", "ours")
    figure = viz.face_sheet(images, [points, points], columns=1, colours=colours, labels=labels, edges=(None, "black"))
    lines = [*figure.axes[0].lines, *figure.legends[0].get_lines()]
    assert {line.get_color() for line in lines} == set(colours)
    for line in lines:
        assert bool(line.get_path_effects()) == (line.get_color() == "white")
    plt.close(figure)


def test_a_contact_sheet_keeps_every_pixel() -> None:
    images = [torch.full((3, 16, 16), value) for value in (0.0, 0.5, 1.0)]
    sheet = np.asarray(Image.open(io.BytesIO(viz.contact_sheet(images, columns=2).data)))
    assert sheet.shape == (2 * 16 + 3 * 2, 2 * 16 + 3 * 2, 3)
    for (row, column), value in (((0, 0), 0), ((0, 1), 128), ((1, 0), 255)):
        cell = sheet[2 + 18 * row :, 2 + 18 * column :][4:12, 4:12]
        assert abs(cell.mean() - value) <= 3


def test_a_figure_becomes_a_jpeg_and_is_closed() -> None:
    figure = viz.face_sheet([torch.rand(3, 20, 20)], columns=1)
    picture = viz.jpeg(figure)
    assert Image.open(io.BytesIO(picture.data)).format == "JPEG" and set(picture._repr_mimebundle_()[0]) >= {
        "image/jpeg"
    }
    assert not plt.fignum_exists(figure.number)


def test_an_address_holds_the_picture() -> None:
    kind, packed = jpeg_address(torch.full((3, 8, 12), 0.5), 90).split(",")
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(packed))))
    assert kind == "data:image/jpeg;base64" and shown.shape == (8, 12, 3) and abs(shown.mean() - 128) <= 2


def test_source_is_shown_without_its_docstring() -> None:
    text = viz.show_source(stacked_heatmap_l2).data
    assert text.startswith("```python\ndef stacked_heatmap_l2(") and text.endswith("\n```")
    assert '"""' not in text and "torch.stack([(maps - target)" in text
    compile(text.removeprefix("```python\n").removesuffix("\n```"), "shown", "exec")
