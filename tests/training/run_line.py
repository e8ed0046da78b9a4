"""Trains the line in a process of its own: ``python run_line.py OUTPUT [field=value ...]``; prints the history."""

import json
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[2]))

from facelab.training import fit
from tests.training.lines import Line, Rows, TwoLines

_calls: list[None] = []


@dataclass(frozen=True)
class SlowLine(Line):
    """Takes time, so that it can be stopped; may lose one of its processes, once."""

    pause: float = 0.0
    dies_in: str = ""

    def prepare(self, samples: Rows, generator: object) -> tuple[Tensor, ...]:
        time.sleep(self.pause)
        return super().prepare(samples, generator)  # type: ignore[arg-type]

    def loss(self, network: object, batch: tuple[Tensor, ...]) -> Tensor:
        _calls.append(None)
        if self.dies_in and os.environ.get("RANK") == "1" and len(_calls) == 11 and not Path(self.dies_in).exists():
            Path(self.dies_in).touch()
            os._exit(1)
        return super().loss(network, batch)  # type: ignore[arg-type]


def main() -> None:
    output, *settings = sys.argv[1:]
    given = dict(setting.split("=") for setting in settings)
    line: Line = SlowLine(pause=float(given.get("pause", 0)), dies_in=given.get("dies_in", ""), dropout=0.1)
    if "look_ahead" in given:
        line = TwoLines(look_ahead=int(given["look_ahead"]))
    plan = replace(line.training, epochs=int(given.get("epochs", 6)), accumulate=int(given.get("accumulate", 1)))
    _, history = fit(replace(line, training=plan), seed=int(given.get("seed", 0)), device="cpu", output=output)
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps(history))


if __name__ == "__main__":
    main()
