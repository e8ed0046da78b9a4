"""What the claims about 3DDFA_V2 ask for that needs no training: modes, weights, speed."""

import time
from collections.abc import Sequence
from pathlib import Path

from facelab.ledger.results import Quantity, save_result
from facelab.recipes.tddfa_dimensions import FEW, KEPT, dimension_errors, dimension_times
from facelab.recipes.tddfa_speed import frame_rates, weights_experiment, weights_times


def tddfa_part_experiments(
    seeds: Sequence[int], faces: int = 500, weighed: int = 200, batch: int = 128
) -> dict[str, dict[str, Quantity]]:
    """Experiment to name to quantity, one value a seed; where time is measured, one a round, as many as seeds.

    Args:
        seeds: of random faces. faces: for the modes, a seed. weighed: faces whose weights are compared, a seed.
        batch: faces whose weights are timed together.
    """
    count = len(seeds)
    errors, spans = dimension_errors(faces, seeds), dimension_times(count)
    differences, weights, rates = weights_experiment(weighed, seeds), weights_times(batch, count), frame_rates(count)

    def kept(name: str, modes: tuple[int, int], values: tuple[float, ...]) -> dict[str, Quantity]:
        return {f"error of {name}": Quantity(f"NME of the landmarks with {modes} modes", "fraction", values)}

    return {
        "tddfa-modes": {
            **kept("40 and 10 modes", KEPT, errors.kept),
            **kept("5 and 2 modes", FEW, errors.few),
            "time of all modes over 40 and 10": Quantity(
                "Time of a dense face from all modes over that from 40 and 10", "ratio",
                tuple(whole / few for whole, few in zip(spans.whole, spans.kept, strict=True)),
            ),
        },
        "tddfa-fwpdc": {
            "largest difference of a weight": Quantity(
                "Largest difference of a weight of fWPDC from that of WPDC", "ratio", differences.true_shape
            ),
            "largest difference with predicted coefficients": Quantity(
                "The same with the predicted shape in place of the true one", "ratio", differences.predicted_shape
            ),
            "time of WPDC over fWPDC": Quantity(
                f"Time of the weights of {batch} faces by WPDC over that by fWPDC", "ratio",
                tuple(slow / fast for slow, fast in zip(weights.wpdc, weights.fwpdc, strict=True)),
            ),
        },
        "tddfa-speed": {
            "MobileNet": Quantity("Faces a second by parameters, crops of 120 pixels", "per second", rates.mobilenet),
            "PRNet": Quantity("Faces a second by a position map, crops of 256 pixels", "per second", rates.prnet),
        },
    }  # fmt: skip


def save_tddfa_part_experiments(profile: str, seeds: Sequence[int]) -> list[Path]:
    """Measures, and writes every experiment to ``data/results/<profile>``."""
    begun = time.perf_counter()
    experiments = tddfa_part_experiments(seeds)
    seconds = round(time.perf_counter() - begun, 1)
    command = f"python -m facelab bench tddfa-parts --profile {profile} --seeds {len(seeds)}"
    return [
        save_result(name, profile, quantities, seeds=seeds, seconds=seconds, device="cpu", command=command)
        for name, quantities in experiments.items()
    ]
