"""Clips with tracks: what the page is given. tests/book/test_browser_clip.py opens one in a browser."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from facelab import viz

ALT = "Noise in which two networks follow landmarks."
RANDOM = torch.Generator().manual_seed(0)
FRAMES = torch.rand(3, 3, 16, 20, generator=RANDOM)
TRUTH = 16 * torch.rand(3, 68, 2, generator=RANDOM)
TRACKS = {"without <svs>": TRUTH + 1.0, "with svs": TRUTH - 0.25}


def made(**changes: object) -> viz.ClipFigure:
    whole = {"frames": FRAMES, "tracks": TRACKS, "truth": TRUTH, "alt": ALT}
    return viz.clip_figure(**whole | changes)  # type: ignore[arg-type]


def unpacked(track: dict[str, str], step: float) -> np.ndarray:
    return step * np.frombuffer(base64.b64decode(track["points"]), "<i2").reshape(3, 68, 2)


def test_tracks_are_stored_to_a_hundredth_of_a_pixel() -> None:
    data = made().data
    for track, expected in zip([data["truth"], *data["tracks"]], [TRUTH, *TRACKS.values()], strict=True):
        np.testing.assert_allclose(unpacked(track, data["step"]), expected, atol=0.00501)
    assert [track["name"] for track in data["tracks"]] == list(TRACKS)
    assert len({track["colour"] for track in [data["truth"], *data["tracks"]]}) == 3


def test_each_frame_is_stored_once() -> None:
    data = made().data
    assert len(set(data["frames"])) == 3 and (data["width"], data["height"]) == (20, 16)
    picture = Image.open(io.BytesIO(base64.b64decode(data["frames"][1].partition(",")[2])))
    assert picture.size == (20, 16)
    assert made().html().count(data["frames"][1]) == 1


def test_followed_landmarks_can_be_chosen() -> None:
    html = made(followed=(8, 30)).html()
    assert html.count("<option") == 6 and '<option value="8">8, jaw</option>' in html


def test_shows_itself_three_times_and_nothing_closes_the_script() -> None:
    figure = made()
    bundle = figure._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/png", "text/plain"} and bundle["text/plain"] == ALT
    assert bundle["text/html"].count("</script>") == 2 and "without <svs>" not in bundle["text/html"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tracks": {}}, "1 to 3 tracks"),
        ({"tracks": dict.fromkeys("abcd", TRUTH)}, "1 to 3 tracks"),
        ({"tracks": {"a": TRUTH[:2]}}, r"'a': \(2, 68, 2\)"),
        ({"frames": FRAMES[:2]}, r"of shape \(2, 68, 2\)"),
        ({"frames": [*FRAMES[:2], FRAMES[2, :, :8]]}, "pictures .* of one size"),
        ({"truth": TRUTH * torch.nan}, "'truth': expected finite places"),
        ({"tracks": {"far": TRUTH + 400}}, "'far': expected finite places within 328 pixels"),
        ({"followed": (68,)}, "landmarks from 0 to 67"),
        ({"followed": ()}, "landmarks from 0 to 67"),
        ({"alt": "a clip"}, "at least 20 characters"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**changes)
