"""``facelab train``, ``predict`` and ``recipes``."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facelab.cli.command import FOLDER, one_line, save, setting

if TYPE_CHECKING:
    from torch import Tensor


@click.command()
@click.argument("recipe")
@click.option("--profile", default="quick", show_default=True, help="smoke, quick, cpu or gpu.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--output", type=FOLDER, help="Folder of the run.  [default: runs/RECIPE-PROFILE-SEED]")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 ...")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="Change a field, as training.epochs=3.")
@click.option("--quiet", is_flag=True, help="Show no progress bar.")
@one_line
def train(
    recipe: str, profile: str, seed: int, output: Path | None, device: str, settings: tuple[str, ...], quiet: bool
) -> None:
    """Train RECIPE, as "fan"; `recipes` lists them.

    A folder that holds an unfinished run of the same recipe is gone on with, also after a crash. The trained weights
    are OUTPUT/model.safetensors. On many devices: torchrun --nproc-per-node=N -m facelab train RECIPE.
    """
    import torch

    from facelab.recipes import changed, get
    from facelab.training import fit
    from facelab.training.keeper import MODEL

    if "OMP_NUM_THREADS" not in os.environ:  # the other half of the cores prepares the batches
        torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    folder = output or Path("runs") / f"{recipe}-{profile}-{seed}"
    changes = dict(setting(text) for text in settings)
    chosen = changed(get(recipe, profile), changes)
    notes = {"recipe": recipe, "profile": profile, "settings": changes}
    _, history = fit(chosen, seed, device, folder, not quiet, notes)
    if os.environ.get("RANK", "0") != "0":
        return  # one of the processes that torchrun started speaks
    for entry in history:
        numbers = "  ".join(f"{name} {value:.5g}" for name, value in entry.items() if name != "epoch")
        click.echo(f"epoch {entry['epoch']:3.0f}  {numbers}")
    click.echo(folder / MODEL)


@click.command()
@click.argument("run", type=FOLDER)
@click.argument("photograph", type=FOLDER)
@click.option("--box", nargs=4, type=float, metavar="X0 Y0 X1 Y1", help="Around the landmarks; detected if not given.")
@click.option("--output", type=FOLDER, help="PTS file, or PNG with the landmarks drawn; the points are shown if none.")
@one_line
def predict(run: Path, photograph: Path, box: tuple[float, ...] | None, output: Path | None) -> None:
    """Find the 68 landmarks of the largest frontal face in PHOTOGRAPH by the network of folder RUN."""
    import torch

    from facelab.data.images import read_image
    from facelab.predict import detect_faces, landmark_box_of_detection, landmarks_of_photograph
    from facelab.recipes.runs import trained

    if output is not None and output.suffix.lower() not in (".pts", ".png"):
        raise ValueError(f"{output}: expected a name that ends in .pts or .png")
    recipe, model = trained(run)
    image = read_image(photograph)
    if box is None:
        found = detect_faces(image)
        if not len(found):
            raise ValueError(f"{photograph}: no frontal face found; say where it is with --box X0 Y0 X1 Y1")
        place = landmark_box_of_detection(found[0])
    else:
        place = torch.tensor(box)
    points = landmarks_of_photograph(recipe, model, image, place)
    if output is None:
        click.echo(_pts(points))
    elif output.suffix.lower() == ".pts":
        save(lambda path: path.write_text(_pts(points) + "\n"), output)
    else:
        _draw(image, points, output)


def _pts(points: "Tensor") -> str:
    """The format of 300-W, which counts pixels from 1."""
    rows = "\n".join(f"{x:.3f} {y:.3f}" for x, y in (points + 1).tolist())
    return f"version: 1\nn_points: {len(points)}\n{{\n{rows}\n}}"


def _draw(image: "Tensor", points: "Tensor", output: Path) -> None:
    from facelab.viz import face_sheet

    figure = face_sheet([image], [[points]], columns=1, scheme="68")
    save(lambda path: figure.savefig(path, format="png", dpi=200), output)


@click.command()
@click.argument("name", required=False)
@click.option("--profile", default="quick", show_default=True, help="smoke, quick, cpu or gpu.")
@one_line
def recipes(name: str | None, profile: str) -> None:
    """List the recipes, or all fields of recipe NAME as `train --set` takes them."""
    from facelab.recipes import PROFILES, RECIPES, get
    from facelab.training.describe import describe, flat

    if name is not None:
        for field, value in flat(describe(get(name, profile))).items():
            if field.split(".")[-1] != "kind":  # of the classes: not a field
                click.echo(f"{field} = {value}")
        return
    for known in RECIPES:
        click.echo(known)
        for each in PROFILES:
            recipe = get(known, each)
            plan = recipe.training
            click.echo(f"  {each:6s} {recipe.faces:6d} faces, {plan.epochs:3d} epochs, batch {plan.batch}")
