"""Meshes side by side, and files in links."""

import base64
import re

import pytest
import torch

from facelab.viz import Downloads, painted_figure

VERTICES = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
TRIANGLES = torch.tensor([[0, 1, 2], [0, 1, 3], [1, 2, 3], [0, 2, 3]])
ALT = "Two small solids of four corners each, side by side."


def test_each_mesh_has_a_scene_and_a_name() -> None:
    figure = painted_figure([VERTICES, 2 * VERTICES], TRIANGLES, [VERTICES, VERTICES], ["one", "two"], ALT)
    first, second = figure.figure.data
    assert (first.scene, second.scene) == ("scene", "scene2")
    assert figure.figure.layout.scene.domain.x == (0, 0.5) and figure.figure.layout.scene2.domain.x == (0.5, 1)
    assert [note.text for note in figure.figure.layout.annotations] == ["one", "two"]
    assert list(first.vertexcolor) == ["#000000", "#ff0000", "#00ff00", "#0000ff"]
    assert max(second.x) == 2 * max(first.x)
    assert figure.png.startswith(b"\x89PNG")


def test_numbers_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match="as many meshes, colours and names, got 1, 1, 2"):
        painted_figure([VERTICES], TRIANGLES, [VERTICES], ["one", "two"], ALT)
    with pytest.raises(ValueError, match="got 0, 0, 0"):
        painted_figure([], TRIANGLES, [], [], ALT)


def test_links_hold_their_files() -> None:
    html = Downloads({"a.ply": b"\x00\x01content", "b<c.ply": b"other"})._repr_html_()
    held = re.findall(r'download="([^"]+)" href="data:application/octet-stream;base64,([^"]+)"', html)
    assert [(name, base64.b64decode(content)) for name, content in held] == [
        ("a.ply", b"\x00\x01content"),
        ("b&lt;c.ply", b"other"),
    ]
    assert repr(Downloads({"a.ply": b""})) == "files in this page: a.ply"
