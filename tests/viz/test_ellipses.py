"""Ellipses on faces: drawn where the loss has them, and what the page is given to turn them itself."""

import base64
import json
import math
import re

import matplotlib.pyplot as plt
import pytest
import torch
from torch import Tensor

from facelab import viz
from facelab.markups import markup
from facelab.viz.ellipses import EllipseFigure

ALT = "Two faces of noise with ellipses, for a test."
RANDOM = torch.Generator().manual_seed(0)
IMAGES = torch.rand(2, 3, 24, 32, generator=RANDOM)
MARKUPS = ("68", "98", "29", "19")


def landmarks(scheme: str = "68", faces: int = 2) -> Tensor:
    return 24 * torch.rand(faces, markup(scheme).points, 2, generator=torch.Generator().manual_seed(1))


def jaw(x: float, y: float) -> Tensor:
    """A face whose jaw is a straight line in that direction, 16 points a step apart."""
    face = landmarks()[:1].clone()
    face[0, :17] = torch.arange(17.0)[:, None] * torch.tensor([x, y])
    return face


def made(**changes: object) -> EllipseFigure:
    whole = {"images": IMAGES, "landmarks": landmarks(), "markup": "68", "alt": ALT} | changes
    return viz.ellipse_figure(**whole)  # type: ignore[arg-type]


def test_covariances_are_those_of_the_paper_at_a_line_of_30_degrees() -> None:
    cosine, sine = math.cos(math.pi / 6), math.sin(math.pi / 6)
    covariance = viz.assumed_covariances(jaw(cosine, sine)[0].double(), "68", 5.0, 3.0)
    expected = torch.tensor([[25 * 0.75 + 9 * 0.25, 16 * cosine * sine], [16 * cosine * sine, 25 * 0.25 + 9 * 0.75]])
    torch.testing.assert_close(covariance[8], expected.double())
    torch.testing.assert_close(covariance[36], torch.eye(2, dtype=torch.float64))  # a corner of an eye


def test_missing_landmarks_have_no_covariance() -> None:
    face = landmarks()[0]
    face[5] = torch.nan
    covariance = viz.assumed_covariances(face, "68")
    assert covariance[5].isnan().all() and covariance.isfinite().flatten(1).all(1).sum() == 67


def test_an_ellipse_has_the_axes_and_the_angle_of_its_covariance() -> None:
    _, ax = plt.subplots()
    places = torch.tensor([[3.0, 4.0], [torch.nan, 0.0], [1.0, 1.0]])
    covariances = torch.tensor([[[4.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]], [[5.0, 4.0], [4.0, 5.0]]])
    drawn = viz.draw_ellipses(ax, places, covariances, ["red", "green", "blue"], deviations=2.0, filled=0.5)
    assert len(drawn) == len(ax.patches) == 2
    first, second = drawn
    assert tuple(first.center) == (3.0, 4.0) and (first.width, first.height) == pytest.approx((8.0, 4.0))
    assert first.angle % 180 == pytest.approx(0.0, abs=1e-6) and first.get_edgecolor()[:3] == (1.0, 0.0, 0.0)
    # Eigenvalues 9 along (1, 1) and 1 across it; downwards y makes no difference to the angle.
    assert (second.width, second.height) == pytest.approx((12.0, 4.0)) and second.angle % 180 == pytest.approx(45.0)
    assert second.get_facecolor() == (0.0, 0.0, 1.0, 0.5)
    plt.close()


@pytest.mark.parametrize(
    ("covariances", "colours", "message"),
    [
        (torch.eye(2).expand(2, 2, 2), "red", r"covariances \(L, 2, 2\), got \(3, 2\) and \(2, 2, 2\)"),
        (torch.eye(2).expand(3, 2, 2), ["red"], "expected 1 or 3"),
        (torch.diag(torch.tensor([1.0, -1.0])).expand(3, 2, 2), "red", "positive semidefinite"),
    ],
)
def test_what_is_no_ellipse_is_refused(covariances: Tensor, colours: str | list[str], message: str) -> None:
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match=message):
        viz.draw_ellipses(ax, torch.zeros(3, 2), covariances, colours)
    plt.close()


def test_page_knows_tangents_of_contours_and_places_of_corners() -> None:
    face = jaw(0.6, 0.8)
    face[0, 20] = torch.nan
    face[0, 27:31] = 7.0  # the bridge of the nose at one place
    points = made(images=IMAGES[:1], landmarks=face).data["faces"][0]["points"]
    assert points[8] == pytest.approx([4.8, 6.4, 0.6, 0.8])
    assert points[0] == pytest.approx([0.0, 0.0, 0.6, 0.8])  # an end of the curve
    assert points[28] == [7.0, 7.0, 0.0, 0.0]
    assert points[20] is None and len(points[36]) == 2 and len(points) == 68


@pytest.mark.parametrize("scheme", MARKUPS)
def test_landmarks_with_a_tangent_are_those_that_are_no_corner(scheme: str) -> None:
    figure = made(landmarks=landmarks(scheme), markup=scheme)
    sliding = {index for curve in markup(scheme).curves for index in curve} - set(markup(scheme).corners)
    for face in figure.data["faces"]:
        assert {index for index, point in enumerate(face["points"]) if len(point) == 4} == sliding
    assert len(figure.data["names"]) == markup(scheme).points


def test_page_has_its_data_its_inputs_and_its_text() -> None:
    figure = made(a=6.0, b=2.5, start=1, side=128.0)
    page = figure.html()
    found = re.search(r'<script type="application/json">(.*?)</script>', page)
    assert found is not None
    data = json.loads(found[1])
    assert data["side"] == 128 and (data["faces"][0]["width"], data["faces"][0]["height"]) == (32, 24)
    assert data["faces"][1]["source"].startswith("data:image/jpeg;base64,")
    values = dict(re.findall(r'name="(\w+)".*?value="([\d.]+)"', page))
    assert values == {"a": "6", "b": "2.5", "face": "2"}
    assert "128 pixels wide" in figure.caption
    bundle = figure._repr_mimebundle_()
    assert bundle["text/plain"] == ALT and bundle["text/html"] == page == made(a=6.0, b=2.5, start=1, side=128.0).html()
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")


def test_one_face_has_no_slider_for_faces() -> None:
    assert [row[0] for row in made(images=IMAGES[:1], landmarks=landmarks(faces=1)).rows] == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"landmarks": landmarks("98")}, r"landmarks \(K, 68, 2\) for mark-up '68', got 2 pictures"),
        ({"images": IMAGES[:1]}, "got 1 pictures"),
        ({"images": IMAGES[:, 0]}, r"of \[\(24, 32\)\]"),
        ({"a": 0.5}, "a and b from 1 to 12"),
        ({"b": 13.0}, "a and b from 1 to 12"),
        ({"start": 2}, "start from 0 to 1"),
        ({"side": 0.0}, "positive side"),
        ({"alt": "too short"}, "at least 20 characters"),
        ({"markup": "70"}, "mark-up '70'"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**changes)
