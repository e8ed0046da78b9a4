"""``facelab data``: the real data sets."""

from pathlib import Path
from typing import Any

import click

from facelab.cli.command import FOLDER, one_line, option, save

_SHEET = 24  # samples on a contact sheet


@click.group()
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
@click.argument("folder", type=FOLDER)
@click.option("--option", "-o", "options", multiple=True, metavar="KEY=VALUE", help="Of the reader, as split=test.")
@click.option("--output", type=FOLDER, help="Write a contact sheet with landmarks to this PNG.")
@one_line
def check(name: str, folder: Path, options: tuple[str, ...], output: Path | None) -> None:
    """Read every sample of data set NAME in FOLDER: what is there, what is damaged or missing."""
    from facelab.data.readers import DATA_SETS, official_count, open_dataset

    chosen = dict(option(text) for text in options)
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
    save(lambda path: figure.savefig(path, format="png", dpi=120), output)


def _only(points: Any, wanted: Any) -> Any:
    """Landmarks with NaN in place of those that are not wanted."""
    return points.where(wanted[:, None], points.new_tensor(float("nan")))
