"""Landmarks of photographs as CSV, JSON and PTS.

Pixels are counted from the centre of the photograph's top-left pixel, which is (0, 0), x to the right and y down; z is
in the same pixels, larger nearer to the viewer, its mean over a face 0. Only PTS counts pixels from 1, as 300-W does.
Faces and landmarks are counted from 0. A photograph is as its EXIF tag turns it.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from torch import Tensor

from facelab.predict.predictor import Network, PredictedFace, Predictor

_DIGITS = 3


def to_csv(faces: Sequence[PredictedFace]) -> str:
    """A table with the columns face, landmark, x, y and, where depths are known, z; a landmark a line."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("face", "landmark", "x", "y", "z")[: 2 + _dimensions(faces)])
    for number, face in enumerate(faces):
        for landmark, values in enumerate(face.landmarks.tolist()):
            table.writerow([number, landmark, *(f"{value:.{_DIGITS}f}" for value in values)])
    return text.getvalue()


def to_json(faces: Sequence[PredictedFace], predictor: Predictor, image: Tensor, name: str) -> str:
    """All that is known: photograph, networks, and of each face its box and landmarks ``[x, y]`` or ``[x, y, z]``.

    Of methods that find them also the 62 parameters, with the camera to the photograph's pixels.

    Args:
        image: the photograph ``(3, H, W)``. name: of its file.
    """
    told = {
        "photograph": name,
        "width": image.shape[2],
        "height": image.shape[1],
        "markup": predictor.points.recipe.markup,
        "network": _told(predictor.points),
        "depth_network": _told(predictor.depth),
        "decoder": predictor.decoder,
        "mirrored": predictor.mirror,
    }
    lines = [
        {
            "box": _rounded(face.box),
            "detected": face.detected,
            "peak": None if face.peak is None else round(face.peak, 3),
            "landmarks": _rounded(face.landmarks),
            **({} if face.parameters is None else {"parameters": _rounded(face.parameters)}),
        }
        for face in faces
    ]
    head = "".join(f" {json.dumps(key)}: {json.dumps(value)},\n" for key, value in told.items())
    rows = ",\n".join(f"  {json.dumps(line, allow_nan=False)}" for line in lines)  # a face a line
    return f'{{\n{head} "faces": [\n{rows}\n ]\n}}\n'


def to_pts(face: PredictedFace) -> str:
    """The format of 300-W, which holds one face: x and y alone, pixels counted from 1."""
    rows = "\n".join(f"{x:.{_DIGITS}f} {y:.{_DIGITS}f}" for x, y in (face.landmarks[:, :2] + 1).tolist())
    return f"version: 1\nn_points: {len(face.landmarks)}\n{{\n{rows}\n}}\n"


def _dimensions(faces: Sequence[PredictedFace]) -> int:
    return faces[0].landmarks.shape[1] if faces else 2


def _told(network: Network[Any] | None) -> dict[str, object] | None:
    return None if network is None or network.origin is None else asdict(network.origin)


def _rounded(values: Tensor) -> list[Any]:
    """Nested lists, each number with as many digits as a table has."""
    return (values.double() * 10**_DIGITS).round().div(10**_DIGITS).tolist()
