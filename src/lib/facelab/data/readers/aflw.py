"""AFLW: 25,993 faces with up to 21 points and a pose (Koestinger et al. 2011), and its 19-point version."""

import contextlib
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facelab.data.readers.base import FaceFiles, Label, check_points

_TABLES = ("Faces", "FaceImages", "FaceRect", "FacePose", "FeatureCoords")
_LONGEST = 200  # characters of a path; systems refuse to look for very long ones
_MOST_STEPS = 500_000_000  # of SQLite's machine, some ten seconds: a crafted database can make a query endless
_POINTS_QUERY = "SELECT face_id, feature_id, x, y FROM FeatureCoords LIMIT 2000000"
_QUERY = """
SELECT f.face_id, i.filepath, r.x, r.y, r.w, r.h, p.roll, p.pitch, p.yaw
FROM Faces f JOIN FaceImages i ON f.file_id = i.file_id
LEFT JOIN FaceRect r ON r.face_id = f.face_id LEFT JOIN FacePose p ON p.face_id = f.face_id
GROUP BY f.face_id ORDER BY f.face_id LIMIT 200000
"""


@dataclass(frozen=True)
class _Face:
    name: str
    picture: Path
    landmarks: Tensor
    visible: Tensor
    box: Tensor | None
    pose: Tensor | None


class AFLW(FaceFiles[_Face]):
    """21 points from ``aflw.sqlite``, or 19 (no ears) from COCO-style JSON files.

    Only points that are seen are annotated: the others are NaN and not visible. Pose is roll, pitch and yaw as the
    database has them, in radians, in our order; their signs were not checked on real files. The database reader is
    written from public code and tested on files made by the tests; the JSON reader was checked on real files. Pixels
    of the database are counted from 1, those of the JSON files are taken as counted from 0.

    Args:
        folder: ``points=21``: the one with ``aflw.sqlite`` and ``images`` (or ``data/flickr``). ``points=19``: the one
            with the ``.json`` files and ``images``.
        points: 21 or 19. strict: see :class:`~facelab.data.readers.base.FaceFiles`.
    """

    name = "AFLW"
    layout = "aflw.sqlite with images/ or data/flickr/ (21 points), or COCO-style .json files with images/ (19 points)"
    sign = "aflw*.sqlite|aflw*.json"

    def __init__(self, folder: str | Path, points: int = 21, strict: bool = True) -> None:
        if points not in (19, 21):
            raise ValueError(f"AFLW points: expected 19 or 21, got {points!r}")
        self.points, self.markup = points, str(points)
        super().__init__(folder, strict)

    def _entries(self) -> list[_Face]:
        faces = self._from_database() if self.points == 21 else self._from_json()
        if not faces and not self.skipped:
            raise self._nothing_found()
        kept = []
        for face in faces:
            if face.picture.is_file():
                kept.append(face)
            else:
                self._leave_out(f"{face.picture}: no picture for face {face.name}")
        return kept

    def _label(self, entry: _Face) -> Label:
        annotated = entry.landmarks[entry.visible]
        check_points(annotated, len(annotated), f"{self.folder}: face {entry.name}")
        return Label(entry.landmarks, entry.visible, entry.box, entry.pose)

    def _image(self, entry: _Face) -> Path:
        return entry.picture

    def _from_database(self) -> list[_Face]:
        path = self.folder / "aflw.sqlite"
        if not path.is_file():
            raise self._nothing_found()
        try:
            with contextlib.closing(_connected(path)) as base:
                points: dict[int, list[tuple[int, float, float]]] = {}
                for face, feature, x, y in base.execute(_POINTS_QUERY):
                    points.setdefault(int(face), []).append((int(feature), float(x), float(y)))
                rows = base.execute(_QUERY).fetchall()
            return [self._face(row, points.get(int(row[0]), [])) for row in rows]
        except (sqlite3.Error, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{path}: expected the SQLite database of AFLW: {error}") from error

    def _face(self, row: tuple[Any, ...], points: list[tuple[int, float, float]]) -> _Face:
        face, file, x, y, width, height, roll, pitch, yaw = row
        landmarks = torch.full((21, 2), torch.nan)
        visible = torch.zeros(21, dtype=torch.bool)
        for feature, px, py in points:
            if not 1 <= feature <= 21:
                raise ValueError(f"face {face}: expected features 1 to 21, found {feature}")
            landmarks[feature - 1] = torch.tensor([px, py]) - 1
            visible[feature - 1] = True
        box = None if x is None else torch.tensor([x - 1.0, y - 1.0, x - 1.0 + width, y - 1.0 + height])
        pose = None if yaw is None else torch.tensor([float(pitch), float(yaw), float(roll)])
        return _Face(f"{face}", self._picture(str(file)), landmarks, visible, box, pose)

    def _picture(self, file: str) -> Path:
        if Path(file).is_absolute() or ".." in Path(file).parts or len(file) > _LONGEST:
            raise ValueError(f"expected a path below the folder, found {file[:_LONGEST]!r}")
        places = [self.folder / part / file for part in ("images", "data/flickr", ".")]
        return next((place for place in places if place.is_file()), places[0])

    def _from_json(self) -> list[_Face]:
        faces: list[_Face] = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                content = json.loads(path.read_bytes())
                files = {image["id"]: str(image["file_name"]) for image in content["images"]}
                for face in content["annotations"]:
                    numbers = torch.tensor(face["keypoints"], dtype=torch.float32).reshape(-1, 3)
                    if len(numbers) != 19:
                        raise ValueError(f"expected 19 points, found {len(numbers)}")
                    seen = numbers[:, 2] > 0
                    landmarks = torch.where(seen[:, None], numbers[:, :2], torch.nan)
                    name = f"{Path(files[face['image_id']]).stem}-{face.get('id', len(faces))}"
                    faces.append(_Face(name, self._picture(files[face["image_id"]]), landmarks, seen, None, None))
            except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, RecursionError) as error:
                raise ValueError(f"{path}: expected COCO-style JSON with 19 points a face: {error!r}") from error
        return faces


def _connected(path: Path) -> sqlite3.Connection:
    """The database, read only, whose tables are tables: a view could compute without end."""
    base = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    base.execute("PRAGMA trusted_schema = OFF")
    base.set_progress_handler(lambda: 1, _MOST_STEPS)
    tables = {str(name).lower() for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    missing = [name for name in _TABLES if name.lower() not in tables]
    if missing:
        base.close()
        raise ValueError(f"expected tables {', '.join(_TABLES)}; no {', '.join(missing)}")
    return base
