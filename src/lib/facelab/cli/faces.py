"""``facelab faces``: morphable face models."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from facelab.cli.command import FOLDER, one_line, save

if TYPE_CHECKING:
    from facelab.face3d import MorphableModel


@click.group()
def faces() -> None:
    """Morphable face models."""


@faces.command()
@click.argument("name", type=click.Choice(["ict"]))
@click.argument("folder", type=FOLDER, required=False)
@one_line
def get(name: str, folder: Path | None) -> None:
    """Download face model NAME into FOLDER (the cache if not given): ICT-FaceKit, MIT licence."""
    from facelab.face3d import get_ict_facekit

    click.echo(f"{name}: {get_ict_facekit(folder)}")


@faces.command()
@click.argument("model")
@click.option("--output", type=FOLDER, required=True, help="PNG to write.")
@click.option("--seed", default=0, show_default=True)
@one_line
def show(model: str, output: Path, seed: int) -> None:
    """Draw a sheet of random faces of MODEL: "builtin", or a folder of ICT-FaceKit or the Basel Face Model."""
    import torch
    from torchvision.utils import make_grid, save_image

    from facelab.data.synthetic import SceneRanges, render_scene, sample_scene

    face = _face(model)
    scene = sample_scene(face, 24, 192, SceneRanges(), torch.Generator().manual_seed(seed))
    save(lambda path: save_image(make_grid(render_scene(face, scene).image, 8), path, format="png"), output)
    click.echo(f"{face.name}: {face.mean.shape[1]} vertices, {len(face.identity)} identity and "
               f"{len(face.expression)} expression modes; {output}")  # fmt: skip


def _face(model: str) -> "MorphableModel":
    """A model by name or folder, dressed to be drawn."""
    from facelab.face3d import builtin_face, dress, read_bfm, read_ict_facekit

    if model == "builtin":
        return builtin_face()
    folder = Path(model)
    if not folder.is_dir():
        raise FileNotFoundError(f"{model}: expected 'builtin' or a folder of ICT-FaceKit or the Basel Face Model")
    is_ict = any(folder.glob("**/generic_neutral_mesh.obj"))
    return dress(read_ict_facekit(folder) if is_ict else read_bfm(folder))
