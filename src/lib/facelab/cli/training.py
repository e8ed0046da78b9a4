"""``facelab train`` and ``recipes``."""

import os
from pathlib import Path

import click

from facelab.cli.command import FOLDER, one_line, setting


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
    from facelab.training.keeper import MODEL

    if "OMP_NUM_THREADS" not in os.environ:  # the other half of the cores prepares the batches
        torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    folder = output or Path("runs") / f"{recipe}-{profile}-{seed}"
    changes = dict(setting(text) for text in settings)
    chosen = changed(get(recipe, profile), changes)
    notes = {"recipe": recipe, "profile": profile, "settings": changes}
    _, history = chosen.train(seed, device, folder, not quiet, notes)
    if os.environ.get("RANK", "0") != "0":
        return  # one of the processes that torchrun started speaks
    for entry in history:
        told = {name: value for name, value in entry.items() if name != "epoch"}
        numbers = "  ".join(f"{name} {value:.5g}" for name, value in told.items() if isinstance(value, (int, float)))
        click.echo(f"epoch {entry['epoch']:3.0f}  {numbers}")
    click.echo(folder / MODEL)


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
            for name, plan in recipe.trainings.items():
                line = f"  {each:6s} {recipe.faces:6d} faces, {plan.epochs:3d} epochs, batch {plan.batch}"
                click.echo(f"{line}  {name}".rstrip())


@click.command()
@click.argument("run", type=FOLDER)
@click.argument("output", type=FOLDER)
@one_line
def ship(run: Path, output: Path) -> None:
    """Write the network of folder RUN to folder OUTPUT with weights in half precision, and a card of it."""
    from facelab.recipes.shipping import ship as write

    click.echo(write(run, output))
