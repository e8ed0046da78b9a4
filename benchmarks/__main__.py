"""How fast the parts are on this machine, and beside others.

Run with ``make bench`` or ``python -m benchmarks``. Each line is the median of repeated runs after a warm-up, in
milliseconds; runs that are compared take turns. A ratio below 1 says that ours is faster. With one thread
(``OMP_NUM_THREADS=1``) the time is that of the thread alone, so that other work on the machine counts little.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks import exported, faces, heatmaps, metrics, networks, parameters, rendering, repvgg
from benchmarks.measuring import CUDA, Line, Settings
from benchmarks.provenance import provenance

Part = Callable[[Settings], Iterable[Line | str]]


def _rendering(settings: Settings) -> Iterable[str]:
    """The rasteriser chooses its own sizes, and times the graphics card itself."""
    return rendering.report() if settings.device == "cpu" else ()


PARTS: dict[str, Part] = {
    "networks": networks.report,
    "repvgg": repvgg.report,
    "reconstruction": faces.reconstruction,
    "losses": parameters.report,
    "heatmaps": heatmaps.report,
    "metrics": metrics.report,
    "rendering": _rendering,
    "onnx": exported.report,
}


def run(parts: Iterable[str], settings: Iterable[Settings]) -> list[dict[str, object]]:
    """Prints each line as soon as it is known, and returns them all."""
    lines: list[dict[str, object]] = []
    for setting in settings:
        for part in parts:
            print(f"{part}, {setting.device}", flush=True)
            for line in PARTS[part](setting):
                print(line, flush=True)
                content = {"text": line} if isinstance(line, str) else asdict(line)
                lines.append({"part": part, "device": setting.device, **content})
    return lines


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the figures and their provenance as JSON")
    chosen = parser.parse_args(arguments)
    if chosen.output is not None and not chosen.output.parent.is_dir():
        parser.error(f"--output {chosen.output}: expected an existing folder {chosen.output.parent}")
    about = provenance()
    print(", ".join(f"{name} {value}" for name, value in about.items()), flush=True)
    settings = [Settings(), *([CUDA] if torch.cuda.is_available() else [])]
    lines = run(chosen.only, settings)
    if chosen.output is not None:
        temporary = chosen.output.with_name(f".{chosen.output.name}.{os.getpid()}.part")
        temporary.write_text(json.dumps({"provenance": about, "lines": lines}, indent=1) + "\n")
        os.replace(temporary, chosen.output)


if __name__ == "__main__":
    main()
