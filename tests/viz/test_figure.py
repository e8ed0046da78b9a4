"""Interactive figures: what they refuse and what they store. tests/book opens them in a browser."""

from __future__ import annotations

import base64
import io
import json
import re

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from facelab.viz.figure import Blend, InteractiveFigure, KernelFree, asset, embedded, framed

ALT = "A square that two sliders stretch."
PICTURE = np.zeros((8, 6, 3), np.uint8)


def square() -> go.Figure:
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    mesh = go.Mesh3d(x=corners[:, 0], y=corners[:, 1], z=corners[:, 2], i=[0, 0], j=[1, 2], k=[2, 3])
    dots = go.Scatter3d(x=corners[:2, 0], y=corners[:2, 1], z=corners[:2, 2], mode="markers")
    return go.Figure([mesh, dots], layout={"width": 900, "height": 300})


def blend(name: str = "wider", count: int = 4, **options: object) -> Blend:
    return Blend(name, np.linspace(-1, 1, count * 3).reshape(count, 3), **{"low": -1.0, "high": 2.0, **options})


def spec(figure: InteractiveFigure) -> dict:
    found = re.search(r'<script type="application/json">(.*?)</script>', figure.html(), re.DOTALL)
    assert found
    return json.loads(found.group(1))


@pytest.mark.parametrize("alt", ["", "   ", "too short", None])
def test_no_text_no_figure(alt: str) -> None:
    with pytest.raises(ValueError, match="alt must say what the figure shows, in at least 20 characters"):
        InteractiveFigure(square(), alt, PICTURE)


def test_shows_itself_three_times() -> None:
    bundle = InteractiveFigure(square(), ALT, PICTURE)._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/png", "text/plain"}
    assert bundle["text/plain"] == ALT
    assert Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))).size == (6, 8)
    assert bundle["image/png"] in bundle["text/html"]


def test_id_depends_on_the_content_alone() -> None:
    figure = InteractiveFigure(square(), ALT, PICTURE)
    assert figure.id == InteractiveFigure(square(), ALT, PICTURE).id
    assert figure.html() == InteractiveFigure(square(), ALT, PICTURE).html()
    assert figure.id != InteractiveFigure(square(), ALT + " Again.", PICTURE).id
    assert figure.id != InteractiveFigure(square(), ALT, PICTURE, controls=[blend()]).id


def test_a_dictionary_is_a_figure_too() -> None:
    assert spec(InteractiveFigure(square().to_dict(), ALT, PICTURE)) == spec(InteractiveFigure(square(), ALT, PICTURE))


def test_layout_has_a_height_and_no_width() -> None:
    layout = spec(InteractiveFigure(square(), ALT, PICTURE))["layout"]
    assert (layout["height"], layout["autosize"], "width" in layout) == (300, True, False)
    assert spec(InteractiveFigure(go.Figure(), ALT, PICTURE))["layout"]["height"] == 480


def test_nothing_in_the_data_closes_the_script() -> None:
    figure = square().update_layout(title={"text": "</script><script>alert(1)</script><!--"})
    shown = InteractiveFigure(figure, ALT + ' "<b>" & more', PICTURE, caption="a < b")
    assert shown.html().count("</script>") == 2
    assert "alert(1)" in spec(shown)["layout"]["title"]["text"]
    assert "&quot;&lt;b&gt;&quot; &amp; more" in shown.html()
    assert "<figcaption>a &lt; b</figcaption>" in shown.html()


def test_blends_are_stored_to_a_part_in_ten_thousand() -> None:
    delta = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    packed = spec(InteractiveFigure(square(), ALT, PICTURE, controls=[Blend("wider", delta, -1, 1)]))["blends"][0]
    stored = np.frombuffer(base64.b64decode(packed["delta"]["bdata"]), "<i2").reshape(3, 4).T * packed["scale"]
    np.testing.assert_allclose(stored, delta, atol=1e-4 * np.abs(delta).max())


def test_a_blend_of_nothing_is_finite() -> None:
    packed = spec(InteractiveFigure(square(), ALT, PICTURE, controls=[Blend("none", np.zeros((4, 3)), 0, 1)]))
    assert packed["blends"][0]["scale"] > 0


def test_ten_modes_of_a_face_are_small() -> None:
    points = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)
    triangles = np.random.default_rng(1).integers(0, 3000, (6000, 3)).astype(np.uint16)
    i, j, k = triangles.T
    mesh = go.Mesh3d(x=points[:, 0], y=points[:, 1], z=points[:, 2], i=i, j=j, k=k)
    modes = [Blend(f"mode {number}", points * number, -3, 3) for number in range(10)]
    assert len(InteractiveFigure(go.Figure(mesh), ALT, PICTURE, controls=modes).html()) < 400_000


def test_blends_of_one_name_share_one_input() -> None:
    controls = [blend(), blend(count=2, trace=1), blend("taller")]
    shown = InteractiveFigure(square(), ALT, PICTURE, controls=controls)
    assert shown.html().count('type="range"') == 2
    assert [(part["trace"], part["control"]) for part in spec(shown)["blends"]] == [(0, 0), (1, 0), (0, 1)]


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ([("wider", 4, {"trace": 7})], "trace 7 is not one of 2 traces"),
        ([("wider", 5, {})], "delta has 5 points, trace 0 has 4"),
        ([("wider", 4, {}), ("wider", 2, {"trace": 1, "high": 9.0})], "must have one range and one value"),
        ([("wider", 4, {"low": 2.0})], "expected low <= value <= high"),
        ([("wider", 4, {"value": 3.0})], "expected low <= value <= high"),
    ],
)
def test_blends_that_do_not_fit_are_refused(controls: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InteractiveFigure(
            square(), ALT, PICTURE, controls=[blend(name, count, **more) for name, count, more in controls]
        )


@pytest.mark.parametrize("delta", [np.zeros(3), np.zeros((4, 2)), np.full((4, 3), np.nan)])
def test_a_delta_must_be_finite_points(delta: np.ndarray) -> None:
    with pytest.raises(ValueError, match="blend 'wider': delta must"):
        Blend("wider", delta, 0, 1)


@pytest.mark.parametrize(
    "poster", [np.zeros((8, 6)), np.zeros((8, 6, 4)), np.zeros((0, 6, 3)), np.zeros((8, 6, 3), int)]
)
def test_a_poster_must_be_a_picture(poster: np.ndarray) -> None:
    with pytest.raises(ValueError, match="poster must be"):
        InteractiveFigure(square(), ALT, poster)


def test_a_matplotlib_poster_is_drawn_and_closed() -> None:
    still, axis = plt.subplots(figsize=(2, 1))
    axis.plot([0, 1])
    png = InteractiveFigure(square(), ALT, still).png
    assert png.startswith(b"\x89PNG")
    assert not plt.fignum_exists(still.number)


def test_a_float_poster_is_scaled_and_clipped() -> None:
    png = InteractiveFigure(square(), ALT, np.array([[[0.0, 0.5, 2.0]]])).png
    assert np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).tolist() == [[[0, 128, 255]]]


# ------------------------------------------------------------------------------------------- figures with own scripts


class Drawn(KernelFree):
    """A figure with a still twin of three bytes."""

    png, alt = b"png", 'A <drawing> by a "script".'


def test_data_come_back_from_the_page_and_close_no_element() -> None:
    data = {"name": "</script><b>", "numbers": [1, 2.5]}
    assert "<" not in embedded(data) and json.loads(embedded(data)) == data


@pytest.mark.parametrize("caption", [None, "Seen & told."])
def test_a_frame_has_styles_twin_body_caption_data_and_code(caption: str | None) -> None:
    html = framed(Drawn(), "laboratory", "ellipses", embedded({"a": "<"}), "<svg></svg>", caption)
    name = re.search(r'id="(figure-[0-9a-f]{12})"', html)
    assert name
    assert html == (
        f"<style>{asset('ellipses.css')}</style>\n"
        f'<figure class="facelab-laboratory" id="{name[1]}" '
        'aria-label="A &lt;drawing&gt; by a &quot;script&quot;.">\n'
        '<img class="facelab-poster" alt="A &lt;drawing&gt; by a &quot;script&quot;." '
        f'src="data:image/png;base64,{base64.b64encode(b"png").decode()}">\n'
        "<svg></svg>\n"
        f"{'<figcaption>Seen &amp; told.</figcaption>' if caption else ''}\n"
        '<script type="application/json">{"a":"\\u003c"}</script>\n'
        f"</figure>\n<script>{asset('ellipses.js')}</script>"
    )


def test_a_frame_is_named_by_its_data_and_its_text() -> None:
    def name(data: int, alt: str = Drawn.alt) -> str:
        figure = Drawn()
        figure.alt = alt
        return framed(figure, "clip", "clip_tracks", embedded(data), "", None).split('id="')[1].split('"')[0]

    assert name(1) == name(1) and len({name(1), name(2), name(1, "Another text.")}) == 3
