"""``facelab evaluate``: scores of a trained network, or of the predictions of any method."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facelab.cli.command import FOLDER, one_line, option, save

if TYPE_CHECKING:
    from torch import Tensor

    from facelab.metrics import Interval
    from facelab.metrics.pose import Beyond

_OF_RUNS = ("data", "folder", "options", "mirror")
_OF_FILES = ("targets", "normalizer", "markup", "yaw", "visible", "boxes")


@click.command()
@click.argument("run", type=FOLDER, required=False)
@click.option("--data", help="A real data set, as AFLW2000-3D; the run's synthetic test faces if not given.")
@click.option("--folder", type=FOLDER, help="Of the data set.")
@click.option("--option", "-o", "options", multiple=True, metavar="KEY=VALUE", help="Of its reader, as split=test.")
@click.option("--mirror", is_flag=True, help="Add the prediction on the mirrored picture.")
@click.option("--predictions", type=FOLDER, help="Points in pixels: .npy (N, L, D), or .csv with x0,y0,x1,y1,...")
@click.option("--targets", type=FOLDER, help="The true points, in the same layout.")
@click.option("--normalizer", help="bbox, interocular, interpupil or box.  [default: bbox]")
@click.option("--markup", help="The scheme of the points, as 68 or 98.  [default: by their number]")
@click.option("--yaw", type=FOLDER, help="Degrees: .npy (N,), or .csv with the column yaw.")
@click.option("--visible", type=FOLDER, help="0 or 1: .npy (N, L), or .csv with v0,v1,...; the rest is left out.")
@click.option("--boxes", type=FOLDER, help="For the normalizer box: .npy (N, 4), or .csv with x0,y0,x1,y1.")
@click.option("--threshold", default=0.1, show_default=True, help="Of AUC and failures: a fraction, 0.07 is 7 %.")
@click.option("--beyond", type=click.Choice(["last", "fold", "drop", "raise"]), default="last", show_default=True,
              help="Angles over 90 degrees: in the last bin, folded back, left out, or an error.")  # fmt: skip
@click.option("--intervals", default=2000, show_default=True, type=click.IntRange(0),
              help="Draws of the bootstrap of faces for the 95 % intervals; 0 for none.")  # fmt: skip
@click.option("--output", type=FOLDER, help="JSON file; its errors are fractions.")
@one_line
def evaluate(
    run: Path | None,
    predictions: Path | None,
    threshold: float,
    beyond: "Beyond",
    intervals: int,
    output: Path | None,
    **chosen: Any,
) -> None:
    """Score the network of folder RUN, or the predictions of another method.

    A run is scored by NME with the root of the box area as normaliser. Files are scored by what --normalizer says:

    python -m facelab evaluate --predictions P.npy --targets T.npy --normalizer interocular --yaw yaw.csv

    A .csv file has a header and a line for each face; a first column "face" with names is used to match the lines of
    two files, which are else taken in their order.
    """
    if run is not None and predictions is None:
        _refuse(chosen, _OF_FILES, "--predictions")
        scored = _of_run(run, **{name: chosen[name] for name in _OF_RUNS})
    elif predictions is not None and run is None:
        _refuse(chosen, _OF_RUNS, "the folder of a run")
        scored = _of_files(predictions, **{name: chosen[name] for name in _OF_FILES})
    else:
        raise ValueError("evaluate: expected the folder of a run, or --predictions FILE with --targets FILE")
    report = _report(scored, threshold, beyond, intervals)
    click.echo(_text(report))
    if output is not None:
        save(lambda path: path.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n"), output)


def _refuse(chosen: dict[str, Any], names: tuple[str, ...], partner: str) -> None:
    """Raises ValueError if one of the options was given, since ``partner`` was not."""
    for name in names:
        if chosen[name]:
            raise ValueError(f"--{'option' if name == 'options' else name}: goes with {partner} only")


@dataclass(frozen=True)
class _Scored:
    """Errors ``(N,)``, what they are of, and the yaw ``(N,)`` in degrees where it is known."""

    name: str
    normalizer: str
    errors: "Tensor"
    yaw: "Tensor | None"


def _of_run(run: Path, data: str | None, folder: Path | None, options: tuple[str, ...], mirror: bool) -> _Scored:
    import torch

    from facelab.data import open_dataset
    from facelab.recipes.runs import errors_on, markup_of, trained

    if (data is None) != (folder is None):
        raise ValueError("evaluate: expected both --data NAME and --folder DIR, or neither")
    recipe, model = trained(run)
    markup_of(recipe)
    if data is None or folder is None:
        test = recipe.test_set(progress=True)
        _, errors = recipe.evaluate(model, test, mirror=mirror)
        yaw, name = test.poses[:, 1], "synthetic test faces"
    else:
        faces = open_dataset(data, folder, **dict(option(text) for text in options))
        errors, name = errors_on(recipe, model, faces, mirror), data
        yaw = torch.stack([faces[index].pose[1] for index in range(len(faces))])
    return _Scored(name, "bbox", errors, yaw.rad2deg() if bool(yaw.isfinite().all()) else None)


def _of_files(
    predictions: Path,
    targets: Path | None,
    normalizer: str | None,
    markup: str | None,
    yaw: Path | None,
    visible: Path | None,
    boxes: Path | None,
) -> _Scored:
    from facelab.cli.prediction_files import read_boxes, read_points, read_visible, read_yaw
    from facelab.metrics import nme

    if targets is None:
        raise ValueError("--targets: expected the file of the true points")
    truth = read_points(targets)
    points = read_points(predictions).in_order_of(truth)
    seen = None if visible is None else read_visible(visible, truth.values.shape[1]).in_order_of(truth).bool()
    errors = nme(
        points,
        truth.values,
        normalizer or "bbox",
        markup=markup,
        boxes=None if boxes is None else read_boxes(boxes).in_order_of(truth),
        visible=seen,
    )
    angles = None if yaw is None else read_yaw(yaw).in_order_of(truth)
    return _Scored(predictions.name, normalizer or "bbox", errors, angles)


def _report(scored: _Scored, threshold: float, beyond: "Beyond", draws: int) -> dict[str, Any]:
    """All figures, as fractions, in the shape of the JSON file."""
    from facelab.metrics import auc, by_pose, failure_rate

    errors = scored.errors
    poses = None if scored.yaw is None else by_pose(errors, scored.yaw, beyond)
    return {
        "of": scored.name,
        "faces": len(errors),
        "normalizer": scored.normalizer,
        "threshold": threshold,
        "mean": float(errors.mean()),
        "median": float(errors.quantile(0.5)),
        "worst": float(errors.max()),
        "auc": auc(errors, threshold),
        "auc_fan": auc(errors, threshold, "fan"),
        "failure_rate": failure_rate(errors, threshold),
        "by_yaw": poses and {key: None if math.isnan(value) else value for key, value in poses.items()},
        "beyond": beyond,
        "intervals": _intervals(scored, threshold, beyond, draws) if draws and len(errors) > 1 else None,
    }


def _intervals(scored: _Scored, threshold: float, beyond: "Beyond", draws: int) -> dict[str, Any]:
    from facelab.metrics import bootstrap, by_pose_intervals

    errors = scored.errors.double()
    # Area and failures are means over faces, too, so one call serves for each.
    found: dict[str, Interval] = {
        "mean": bootstrap(errors, draws=draws),
        "auc": bootstrap((threshold - errors).clamp_min(0) / threshold, draws=draws),
        "failure_rate": bootstrap((errors > threshold).double(), draws=draws),
    }
    by_yaw = None if scored.yaw is None else by_pose_intervals(errors, scored.yaw, beyond, draws)
    return {"confidence": 0.95, "draws": draws, "seed": 0, **found, "by_yaw": by_yaw}


def _text(report: dict[str, Any]) -> str:
    """The figures in percent."""
    limit = f"{100 * report['threshold']:g} %"
    lines = [
        f"{report['faces']} faces, {report['of']}; NME ({report['normalizer']}) in percent",
        f"  mean {_percent(report['mean'])}  median {_percent(report['median'])}  worst {_percent(report['worst'])}",
        f"  AUC at {limit} {_percent(report['auc'])} (by FAN's grid {_percent(report['auc_fan'])})  "
        f"failures over {limit} {_percent(report['failure_rate'])}",
    ]
    if report["by_yaw"] is not None:
        lines.append("  by yaw " + "  ".join(f"{key} {_percent(value)}" for key, value in report["by_yaw"].items()))
    if report["intervals"] is not None:
        names = {"mean": "mean", "auc": "AUC", "failure_rate": "failures"}
        lines.append("  95 % intervals, bootstrap of faces")
        lines.append("    " + _ends({shown: report["intervals"][key] for key, shown in names.items()}))
        if report["intervals"]["by_yaw"]:
            lines.append("    by yaw " + _ends(report["intervals"]["by_yaw"]))
    return "\n".join(lines)


def _ends(intervals: Mapping[str, "Interval"]) -> str:
    return "  ".join(f"{key} {_percent(low)} to {_percent(high)}" for key, (low, high) in intervals.items())


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{100 * value:.2f}"
