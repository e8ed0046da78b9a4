"""300W-LP: 61,225 pictures made from 300-W by turning faces in depth, and as many mirrored (Zhu et al. 2016)."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from facelab.data.readers.aflw2000_3d import MODEL_FIELDS, SIDE, model_label
from facelab.data.readers.base import FaceFiles, Label, by_stem, check_points, pictures_in
from facelab.data.readers.matlab import read_matlab

SETS = ("AFW", "HELEN", "IBUG", "LFPW")
_VERSIONS = ("2d", "3d")


@dataclass(frozen=True)
class _Entry:
    """A picture with its model file, its landmark file, or both."""

    name: str
    picture: Path
    model: Path | None
    points: Path | None


class W300LP(FaceFiles[_Entry]):
    """Pictures ``<set>/<name>.jpg`` with ``<set>/<name>.mat`` (landmarks and model) or the landmark files alone.

    The landmark files are ``landmarks/<set>/<name>_pts.mat`` with ``pts_2d`` (jaw on the visible outline) and
    ``pts_3d`` (jaw on the head; its projection, two numbers a point). A model file holds the 2D landmarks ``pt2d``; its
    3D ones need the Basel Face Model, so ``version="3d"`` needs the landmark files. Pixels are counted from 1 in the
    files and from 0 here. Pose and parameters are NaN without a model file; coefficients of mirrored pictures
    (``_Flip``) are those of their own files. Checked on real files (``pts_3d``: by public descriptions).

    Args:
        folder: the one with the folders AFW, HELEN, IBUG, LFPW in it; any of them may be missing.
        version: ``"2d"`` or ``"3d"``. flipped: take the mirrored copies too, which lie in folders
            ``<set>_Flip``. sets: names of folders, or one string with commas between them.
        strict: see :class:`~facelab.data.readers.base.FaceFiles`.
    """

    name = "300W-LP"
    layout = "folders AFW, HELEN, IBUG, LFPW with <name>.jpg and <name>.mat, or landmarks/<set>/<name>_pts.mat"
    sign = "[AHIL]*/*.jpg"

    def __init__(
        self,
        folder: str | Path,
        version: str = "2d",
        flipped: bool = False,
        sets: Iterable[str] | str = SETS,
        strict: bool = True,
    ) -> None:
        if version not in _VERSIONS:
            raise ValueError(f"300W-LP version: expected '2d' or '3d', got {version!r}")
        sets = tuple(sets.split(",") if isinstance(sets, str) else sets)
        unknown = set(sets) - set(SETS)
        if unknown:
            raise ValueError(f"300W-LP sets: expected some of {', '.join(SETS)}, got {', '.join(sorted(unknown))}")
        self.version, self.flipped, self.sets = version, flipped, sets
        super().__init__(folder, strict)

    def _entries(self) -> list[_Entry]:
        folders = [name for chosen in self.sets for name in (chosen, f"{chosen}_Flip")[: 1 + self.flipped]]
        pictures, models = (
            by_stem((p for name in folders for p in found(self.folder / name)), self.folder)
            for found in (pictures_in, lambda place: place.glob("*.mat"))
        )
        points = {
            path.relative_to(self.folder / "landmarks").with_name(path.name.removesuffix("_pts.mat")).as_posix(): path
            for name in folders
            for path in (self.folder / "landmarks" / name).glob("*_pts.mat")
        }
        if not pictures:
            raise self._nothing_found()
        entries = []
        for key in sorted(pictures):
            if key not in models and key not in points:
                self._leave_out(f"{pictures[key]}: no label {key}.mat or landmarks/{key}_pts.mat for this picture")
                continue
            entries.append(_Entry(key, pictures[key], models.get(key), points.get(key)))
        for key in sorted((models.keys() | points.keys()) - pictures.keys()):
            self._leave_out(f"{models.get(key) or points[key]}: no picture {key}.jpg for this label")
        return entries

    def _label(self, entry: _Entry) -> Label:
        pose = parameters = None
        if entry.model is not None:
            pose, parameters = model_label(read_matlab(entry.model, dict(MODEL_FIELDS)))
        if self.version == "3d" and entry.points is None:
            raise ValueError(
                f"{entry.model}: has no 3D landmarks; they need the landmark file landmarks/{entry.name}_pts.mat, "
                "or the Basel Face Model on its parameters"
            )
        if entry.points is not None:
            field = f"pts_{self.version}"
            landmarks = read_matlab(entry.points, {field: (68, 2)})[field] - 1
        else:
            assert entry.model is not None
            landmarks = read_matlab(entry.model, {"pt2d": (2, 68)})["pt2d"].T - 1
        check_points(landmarks, 68, entry.points or entry.model or entry.name, (SIDE, SIDE))
        return Label(landmarks, pose=pose, parameters=parameters)

    def _image(self, entry: _Entry) -> Path:
        return entry.picture
