"""``facelab bench``: measurements that take minutes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facelab.cli.command import FOLDER, one_line, save

if TYPE_CHECKING:
    from facelab.face3d import MorphableModel
    from facelab.recipes.study_runs import Studies, Study


@click.group()
def bench() -> None:
    """Measurements."""


@bench.command()
@click.option("--data", "data_folder", type=FOLDER, envvar="FACELAB_DATA", required=True, show_envvar=True,
              help="Folder with real/ (photographs) and perhaps ict-facekit/.")  # fmt: skip
@click.option("--ict", type=FOLDER, help="Folder of ICT-FaceKit; DATA/ict-facekit if it is there.")
@click.option("--output", type=FOLDER, default=Path("_build/transfer"), show_default=True)
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--only", type=click.Choice(["built-in", "ICT-FaceKit"]), help="One of the face models.")
@one_line
def transfer(data_folder: Path, ict: Path | None, output: Path, seeds: int, only: str | None) -> None:
    """Train a small network on synthetic faces alone and score it on real photographs.

    Runs that OUTPUT/transfer.json holds are not repeated. The worst photographs go to OUTPUT/worst.png.
    """
    import torch

    from facelab.face3d import builtin_face, dress, read_ict_facekit
    from facelab.recipes.transfer import TransferRecipe, photographs
    from facelab.recipes.transfer_runs import difference, run_all, table

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
    if len(models) > 1:
        first, second = models
        numbers = difference(runs, first, second, [str(face.sample.name) for face in real])
        gap, low, high = (f"{100 * number:+.2f}" for number in numbers)
        click.echo(f"{first} less {second}: {gap}, 95 % interval {low} to {high} (bootstrap of photographs and seeds)")
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
    save(lambda path: figure.savefig(path, format="png", dpi=120), output / "worst.png")
    click.echo(f"photographs, worst first: {output / 'worst.png'}")


def _study_options(name: str, seeds: int = 3) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options of a command that trains the networks of a paper's studies: what :func:`_studies` is called with."""
    options = (
        click.option("--profile", default="cpu", show_default=True, help="smoke, quick, cpu or gpu."),
        click.option("--seeds", default=seeds, show_default=True, type=click.IntRange(1)),
        click.option("--only", multiple=True, metavar="VARIANT", help="Train this one; may be given several times."),
        click.option("--output", type=FOLDER,
                     help=f"Folder of the runs.  [default: data/results/PROFILE/{name}-runs]"),
        click.option("--weights", type=FOLDER,
                     help="Folder for the trained networks; they are not kept if none is given."),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 ..."),
    )  # fmt: skip

    def given(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return given


def _studies(
    studies: "Studies",
    save_experiments: "Callable[[Study, str, Sequence[int], str], list[Path]]",
    profile: str,
    seeds: int,
    only: tuple[str, ...],
    output: Path | None,
    weights: Path | None,
    device: str,
) -> None:
    counted = tuple(range(seeds))
    folder = output or studies.folder(profile, to_write=True)
    study = studies.run_all(profile, counted, folder, only, device, click.echo, weights)
    if output is None and not studies.missing(study, profile, counted):
        for path in save_experiments(study, profile, counted, study.runs[0].about["device"]):
            click.echo(path)


@bench.command()
@_study_options("fan")
@one_line
def fan(**options: Any) -> None:
    """Train the networks of FAN's studies and measure them.

    A run is a file in OUTPUT; runs that are there are not repeated. Once every run is there, the results that the
    ledger of claims asks for are written too.
    """
    from facelab.ledger.experiments_fan import save_fan_experiments
    from facelab.recipes.fan_studies import STUDIES

    _studies(STUDIES, save_fan_experiments, **options)


@bench.command(name="two-stage")
@_study_options("two-stage")
@one_line
def two_stage(**options: Any) -> None:
    """Train the networks of the two-stage method's studies and measure them.

    Runs and results are kept as by `bench fan`.
    """
    from facelab.ledger.experiments_two_stage import save_two_stage_experiments
    from facelab.recipes.two_stage_studies import STUDIES

    _studies(STUDIES, save_two_stage_experiments, **options)


@bench.command()
@_study_options("anisotropic", seeds=5)
@one_line
def anisotropic(**options: Any) -> None:
    """Train the networks of the anisotropic loss's studies and measure them.

    Runs and results are kept as by `bench fan`. Some networks have seeds of their own: those that choose the learning
    rates, and the groups whose spread is compared.
    """
    from facelab.ledger.experiments_anisotropic import save_anisotropic_experiments
    from facelab.recipes.anisotropic_studies import STUDIES

    _studies(STUDIES, save_anisotropic_experiments, **options)


@bench.command()
@_study_options("tddfa")
@one_line
def tddfa(**options: Any) -> None:
    """Train the networks of 3DDFA_V2's studies and measure them.

    Runs and results are kept as by `bench fan`. Those that choose the learning rates have a seed of their own.
    """
    from facelab.ledger.experiments_tddfa import save_tddfa_experiments
    from facelab.recipes.tddfa_studies import STUDIES

    _studies(STUDIES, save_tddfa_experiments, **options)


@bench.command(name="tddfa-parts")
@click.option("--profile", default="cpu", show_default=True, help="Of the results: smoke, quick, cpu or gpu.")
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(1))
@one_line
def tddfa_parts(profile: str, seeds: int) -> None:
    """Measure what needs no training of 3DDFA_V2: modes, weights of parameters, speed.

    Results are written for the ledger of claims. Times are those of one thread.
    """
    from facelab.ledger.experiments_tddfa_parts import save_tddfa_part_experiments

    for path in save_tddfa_part_experiments(profile, range(seeds)):
        click.echo(path)


@bench.command()
@_study_options("cln", seeds=5)
@one_line
def cln(**options: Any) -> None:
    """Train the networks of CLN's studies and measure them.

    Runs and results are kept as by `bench fan`. Those that choose the learning rates have a seed of their own.
    """
    from facelab.ledger.experiments_cln import save_cln_experiments
    from facelab.recipes.cln_studies import STUDIES

    _studies(STUDIES, save_cln_experiments, **options)


@bench.command()
@click.option("--run", type=FOLDER, required=True, help="Folder of a finished run that finds landmarks.")
@click.option("--name", default="l2", show_default=True, help="Of the record.")
@click.option("--profile", default="cpu", show_default=True, help="Of the faces: smoke, quick, cpu or gpu.")
@click.option("--data", "photographs_folder", type=FOLDER, envvar="FACELAB_DATA", show_envvar=True,
              help="Folder with real/ (photographs), if there is one.")  # fmt: skip
@one_line
def benchmark(run: Path, name: str, profile: str, photographs_folder: Path | None) -> None:
    """Measure a network on the faces of the benchmark, for a chapter that compares it with those that ship.

    The errors of all faces go to data/results/PROFILE/benchmark-NAME.json.
    """
    from facelab.recipes.benchmark_photographs import all_photographs
    from facelab.recipes.benchmark_runs import record

    real = all_photographs(photographs_folder) if photographs_folder is not None else []
    click.echo(record(run, name, profile, real, progress=True))
