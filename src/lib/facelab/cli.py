"""The command line: ``python -m facelab data | faces | bench``.

Commands import what they need when they run, so that help and errors come at once. A mistake of the user ends with one
line and exit code 2.
"""

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from facelab.face3d import MorphableModel

_FOLDER = click.Path(path_type=Path)
_SHEET = 24  # samples on a contact sheet


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Face alignment in five papers: data sets, face models, benchmarks."""


def main() -> None:
    """Runs the command line."""
    cli(prog_name="python -m facelab")


def _one_line(command: Callable[..., None]) -> Callable[..., None]:
    """Errors of the user become one line and exit code 2."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except (ValueError, OSError) as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(2)

    return run


@cli.group()
def data() -> None:
    """The real data sets."""


@data.command("list")
def list_data() -> None:
    """Name every data set, its mark-up, and where to ask for it."""
    from facelab.data.readers import DATA_SETS

    for name, what in DATA_SETS.items():
        click.echo(f"{name:12s} {what.points:>8s} points  {what.about}\n{'':30s}{what.ask}")


@data.command()
@click.argument("name")
@click.argument("folder", type=_FOLDER)
@click.option("--option", "-o", "options", multiple=True, metavar="KEY=VALUE", help="Of the reader, as split=test.")
@click.option("--output", type=_FOLDER, help="Write a contact sheet with landmarks to this PNG.")
@_one_line
def check(name: str, folder: Path, options: tuple[str, ...], output: Path | None) -> None:
    """Read every sample of data set NAME in FOLDER: what is there, what is damaged or missing."""
    from facelab.data.readers import DATA_SETS, official_count, open_dataset

    chosen = dict(_option(text) for text in options)
    if "strict" in chosen:
        raise ValueError("--option strict: this command always reads everything and tells what is bad")
    faces = open_dataset(name, folder, strict=False, **chosen)
    click.echo(f"{name}: {len(faces)} samples in {folder}, {len(faces.skipped)} left out")
    for message in faces.skipped[:20]:
        click.echo(f"  {message}")
    if len(faces.skipped) > 20:
        click.echo(f"  and {len(faces.skipped) - 20} more")
    official = official_count(name, **chosen)
    if official is not None:
        click.echo(f"  the whole set has {official}: {max(0, official - len(faces))} missing")
    if not DATA_SETS[name].verified:
        click.echo("  this reader was written from descriptions: look at the contact sheet before you trust it")
    if output is not None and len(faces):
        _write_sheet(faces, output)
        click.echo(f"  contact sheet: {output}")


def _option(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ValueError(f"--option {text}: expected KEY=VALUE, as in split=test")
    known: dict[str, Any] = {"true": True, "false": False, "none": None}
    return key, known.get(value.lower(), int(value) if value.isdecimal() else value)


def _write_sheet(faces: Any, output: Path) -> None:
    """Up to 24 faces spread over the set, cut out, with their landmarks."""
    from facelab.data import FaceSample, crop_faces
    from facelab.viz import face_sheet

    count = min(_SHEET, len(faces))
    chosen = [faces[round(k * (len(faces) - 1) / max(1, count - 1))] for k in range(count)]
    crops = [crop_faces(FaceSample.stack([sample]), 192, "fan") for sample in chosen]
    layers = [
        [_only(crop.landmarks[0, :, :2], crop.visible[0] if seen else ~crop.visible[0]) for crop in crops]
        for seen in (True, False)
    ]
    figure = face_sheet(
        [crop.image[0] for crop in crops],
        layers,
        titles=[str(sample.name)[-16:] for sample in chosen],
        colours=("#1a9850", "#d73027"),
        labels=("visible", "not visible"),
        columns=min(6, max(3, count)),
        scheme=faces.markup,
    )
    _save(lambda path: figure.savefig(path, format="png", dpi=120), output)


def _only(points: Any, wanted: Any) -> Any:
    """Landmarks with NaN in place of those that are not wanted."""
    return points.where(wanted[:, None], points.new_tensor(float("nan")))


def _save(write: Callable[[Path], object], output: Path) -> None:
    """Writes beside ``output``, then renames: never half a file."""
    output.parent.mkdir(parents=True, exist_ok=True)
    scratch = output.with_name(f".{output.name}.partial")
    try:
        write(scratch)
        scratch.replace(output)
    finally:
        scratch.unlink(missing_ok=True)


@cli.group()
def faces() -> None:
    """Morphable face models."""


@faces.command()
@click.argument("name", type=click.Choice(["ict"]))
@click.argument("folder", type=_FOLDER, required=False)
@_one_line
def get(name: str, folder: Path | None) -> None:
    """Download face model NAME into FOLDER (the cache if not given): ICT-FaceKit, MIT licence."""
    from facelab.face3d import get_ict_facekit

    click.echo(f"{name}: {get_ict_facekit(folder)}")


@faces.command()
@click.argument("model")
@click.option("--output", type=_FOLDER, required=True, help="PNG to write.")
@click.option("--seed", default=0, show_default=True)
@_one_line
def show(model: str, output: Path, seed: int) -> None:
    """Draw a sheet of random faces of MODEL: "builtin", or a folder of ICT-FaceKit or the Basel Face Model."""
    import torch
    from torchvision.utils import make_grid, save_image

    from facelab.data.synthetic import SceneRanges, render_scene, sample_scene

    face = _face(model)
    scene = sample_scene(face, 24, 192, SceneRanges(), torch.Generator().manual_seed(seed))
    _save(lambda path: save_image(make_grid(render_scene(face, scene).image, 8), path, format="png"), output)
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


@cli.group()
def bench() -> None:
    """Measurements."""


@bench.command()
@click.option("--data", "data_folder", type=_FOLDER, envvar="FACELAB_DATA", required=True, show_envvar=True,
              help="Folder with real/ (photographs) and perhaps ict-facekit/.")  # fmt: skip
@click.option("--ict", type=_FOLDER, help="Folder of ICT-FaceKit; DATA/ict-facekit if it is there.")
@click.option("--output", type=_FOLDER, default=Path("_build/transfer"), show_default=True)
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--only", type=click.Choice(["built-in", "ICT-FaceKit"]), help="One of the face models.")
@_one_line
def transfer(data_folder: Path, ict: Path | None, output: Path, seeds: int, only: str | None) -> None:
    """Train a small network on synthetic faces alone and score it on real photographs.

    Runs that OUTPUT/transfer.json holds are not repeated. The worst photographs go to OUTPUT/worst.png.
    """
    import torch

    from facelab.face3d import builtin_face, dress, read_ict_facekit
    from facelab.recipes.transfer import TransferRecipe, photographs
    from facelab.recipes.transfer_runs import run_all, table

    torch.set_num_threads(1)  # a second thread prepares the batches
    real = photographs(data_folder)
    folder = ict or data_folder / "ict-facekit"
    models: dict[str, Callable[[], MorphableModel]] = {"built-in": builtin_face}
    if ict is not None or folder.is_dir():
        models["ICT-FaceKit"] = lambda: dress(read_ict_facekit(folder))
    models = {name: make for name, make in models.items() if only in (None, name)}
    recipe = TransferRecipe()
    runs = run_all(models, range(seeds), recipe, real, output, click.echo)
    baseline = recipe.error_of_mean_shape(recipe.training_set(builtin_face(), 0), real)
    click.echo(table(runs, real, baseline.tolist()))
    _draw_worst(recipe, runs, real, output)


def _draw_worst(recipe: Any, runs: Any, real: Any, output: Path) -> None:
    """Every photograph, worst first, with the landmarks of the first run."""
    import torch

    from facelab.data import FaceSample, crop_faces
    from facelab.models import LandmarkRegressor
    from facelab.viz import face_sheet

    run = runs[0]
    network = LandmarkRegressor(85).eval()
    network.load_state_dict(torch.load(output / f"{run.face}-{run.seed}.pt", weights_only=True))
    order = sorted(real, key=lambda face: -run.photographs[str(face.sample.name)])
    crops = [crop_faces(FaceSample.stack([face.sample]), 192, "snug") for face in order]
    predicted = [
        crop.affine.apply(recipe.prediction(network, face)[None])[0] for crop, face in zip(crops, order, strict=True)
    ]
    figure = face_sheet(
        [crop.image[0] for crop in crops],
        [[crop.landmarks[0, :, :2] for crop in crops], predicted],
        titles=[f"{face.source} {100 * run.photographs[str(face.sample.name)]:.1f} %" for face in order],
        colours=("#1a9850", "#d73027"),
        labels=("annotated", f"predicted, trained on {run.face}"),
        columns=5,
    )
    _save(lambda path: figure.savefig(path, format="png", dpi=120), output / "worst.png")
    click.echo(f"photographs, worst first: {output / 'worst.png'}")
