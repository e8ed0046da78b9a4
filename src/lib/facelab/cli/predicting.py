"""``facelab predict``: a photograph to the landmarks of its faces."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facelab.cli.command import FOLDER, one_line, save

if TYPE_CHECKING:
    from torch import Tensor

    from facelab.predict import PredictedFace, Predictor

_MESHES = (".obj", ".ply")
_FORMATS = (".csv", ".json", ".pts", *_MESHES, ".png")
_Box = tuple[float, float, float, float]


@click.command()
@click.argument("photograph", metavar="PHOTO", type=FOLDER)
@click.option("--model", default="fan", show_default=True, metavar="NAME",
              help="Network of the book: two_stage, fan, anisotropic, tddfa or cln.")  # fmt: skip
@click.option("--run", type=FOLDER, help="Network of a run of your own, instead.")
@click.option("--depth", type=FOLDER, help="Network that adds z, of a run of your own.  [default: that of the book]")
@click.option("--box", "boxes", nargs=4, type=float, multiple=True, metavar="X0 Y0 X1 Y1",
              help="Around the landmarks of a face, in pixels, instead of the detector; once a face.")  # fmt: skip
@click.option("--output", "outputs", type=FOLDER, multiple=True, metavar="FILE",
              help="Ends in .csv, .json, .pts, .obj, .ply or .png; may be given several times.")  # fmt: skip
@one_line
def predict(
    photograph: Path,
    model: str,
    run: Path | None,
    depth: Path | None,
    boxes: tuple[_Box, ...],
    outputs: tuple[Path, ...],
) -> None:
    """Find the landmarks of every face in PHOTO, in three dimensions.

    The detector finds nearly frontal faces only, the largest first; for a head that is turned away give --box, from
    the brows to the chin.

    Pixels are counted from the centre of the top-left pixel of the upright photograph, which is (0, 0), x to the right
    and y down. z is in the same pixels, larger nearer to the viewer, its mean over a face 0. Faces and landmarks are
    counted from 0. There are 68 landmarks, with two_stage 66. Only tddfa and cln find a mesh. With a --run of your own
    that finds no z, and no depth network, there is none.

    \b
    .csv   face,landmark,x,y,z; shown if no FILE is given
    .json  the same with boxes and networks, and the 62 parameters if the network finds them
    .pts   one face as 300-W stores it: x and y, pixels counted from 1
    .obj   the mesh of one face, also .ply: pixels as above, but y up, so that other programs show it upright
    .png   the photograph with the landmarks, and three views of each face
    """
    import torch

    from facelab.data.images import read_image
    from facelab.predict import Predictor, to_csv

    _check(outputs, photograph)
    image = read_image(photograph)
    predictor = Predictor.load(run, depth, model)
    faces = predictor.faces(image, [torch.tensor(box) for box in boxes] or None)
    if not faces:
        raise ValueError(
            f"{photograph}: no face found; the detector finds nearly frontal faces only, "
            "so say where one is with --box X0 Y0 X1 Y1"
        )
    if not outputs:
        click.echo(to_csv(faces), nl=False)
        return
    # All of them before the first is written: one that is refused leaves nothing behind.
    writers = [_writer(output, faces, predictor, image, photograph.name) for output in outputs]
    for output, write in zip(outputs, writers, strict=True):
        save(write, output)
    click.echo(f"{len(faces)} {'face' if len(faces) == 1 else 'faces'}; {', '.join(map(str, outputs))}")


def _check(outputs: tuple[Path, ...], photograph: Path) -> None:
    """Raises ValueError for a file that cannot be written, before any work is done."""
    for output in outputs:
        if output.suffix.lower() not in _FORMATS:
            raise ValueError(f"{output}: expected a name that ends in {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}")
        if output.exists() and photograph.exists() and output.samefile(photograph):
            raise ValueError(f"{output}: is the photograph itself; name another file")


def _writer(
    output: Path, faces: "tuple[PredictedFace, ...]", predictor: "Predictor", image: "Tensor", name: str
) -> Callable[[Path], object]:
    """What writes the file, by the end of its name."""
    from facelab.predict import draw_faces, to_csv, to_json, to_pts

    kind = output.suffix.lower()
    if kind == ".png":
        figure = draw_faces(image, faces)
        return lambda path: figure.savefig(path, format="png", dpi="figure")
    if kind in (".pts", *_MESHES) and len(faces) > 1:
        name = kind.removeprefix(".").upper()
        raise ValueError(f"{output}: {name} holds one face, {len(faces)} found; write .json, or choose with --box")
    if kind in _MESHES:
        return _mesh_writer(output, faces[0])
    text = {
        ".csv": lambda: to_csv(faces),
        ".json": lambda: to_json(faces, predictor, image, name),
        ".pts": lambda: to_pts(faces[0]),
    }[kind]()
    return lambda path: path.write_text(text, encoding="utf-8")


def _mesh_writer(output: Path, face: "PredictedFace") -> Callable[[Path], object]:
    from facelab.face3d import write_obj, write_ply

    if face.parameters is None:
        raise ValueError(f"{output}: expected a network that finds a mesh: --model tddfa or --model cln")
    vertices, triangles = face.mesh()
    upright = vertices * vertices.new_tensor([1.0, -1.0, 1.0])
    if output.suffix.lower() == ".obj":
        return lambda path: write_obj(path, upright, triangles)
    return lambda path: write_ply(path, upright, triangles)
