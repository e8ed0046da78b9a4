"""What needs no training: whether fWPDC finds the weights of WPDC, and how fast; how many faces a second there are."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from facelab.face3d import MorphableModel, ParameterStatistics, builtin_face
from facelab.face3d.maps import PositionMaps
from facelab.face3d.parameters import CAMERA_PARAMETERS, compose, pack, project
from facelab.losses import ShapeGram, fwpdc_weights, wpdc_weights
from facelab.models import TDDFA, PRNet, for_inference, positions_of
from facelab.recipes.tddfa_dimensions import studied_face
from facelab.recipes.timing import median_milliseconds, milliseconds, one_thread

_SIDE = 120  # pixels of a crop
_ERROR = 0.3  # of a prediction, in standard deviations of each parameter
_CALLS = 20  # of fWPDC in a round; WPDC takes as long as hundreds of these


class WeightDifferences(NamedTuple):
    """The largest difference of a weight from that of WPDC by its definition; one value a seed.

    Attributes:
        true_shape: fWPDC. predicted_shape: the same with the predicted coefficients in place of the true ones.
    """

    true_shape: tuple[float, ...]
    predicted_shape: tuple[float, ...]


class WeightTimes(NamedTuple):
    """Milliseconds for the weights of a batch on one thread; one value a round."""

    wpdc: tuple[float, ...]
    fwpdc: tuple[float, ...]


def weights_experiment(
    faces: int = 200, seeds: Sequence[int] = (0, 1, 2, 3, 4), model: MorphableModel | None = None
) -> WeightDifferences:
    """How far the weights of fWPDC are from those of WPDC, in double precision.

    Args:
        faces: for each seed. model: if not the face, lips and ears of the built-in one.
    """
    model = model or studied_face()
    gram = ShapeGram.of(model, torch.float64)
    true_shape, predicted_shape = [], []
    for seed in seeds:
        predicted, target = _pairs(model, faces, seed)
        wanted = wpdc_weights(predicted, target, model)
        true_shape.append(float((fwpdc_weights(predicted, target, gram) - wanted).abs().max()))
        # The same errors about the faces of the predicted coefficients.
        shift = predicted - target
        shift[:, :CAMERA_PARAMETERS] = 0
        slip = fwpdc_weights(predicted + shift, target + shift, gram)
        predicted_shape.append(float((slip - wanted).abs().max()))
    return WeightDifferences(tuple(true_shape), tuple(predicted_shape))


def weights_times(batch: int = 128, rounds: int = 5, model: MorphableModel | None = None) -> WeightTimes:
    """How long both take in single precision, taking turns; the time is that of the thread, whatever else runs.

    Args:
        batch: faces. rounds: times each is measured. model: as of :func:`weights_experiment`.
    """
    model = model or studied_face()
    gram = ShapeGram.of(model)
    predicted, target = (parameters.float() for parameters in _pairs(model, batch, seed=0))
    slow, fast = [], []
    with one_thread():
        for _ in range(rounds):
            fast.append(median_milliseconds(lambda: fwpdc_weights(predicted, target, gram), _CALLS))
            slow.append(milliseconds(lambda: wpdc_weights(predicted, target, model)))
    return WeightTimes(tuple(slow), tuple(fast))


class FrameRates(NamedTuple):
    """Faces a second from a crop to a dense mesh, one at a time on one thread; one value a round."""

    mobilenet: tuple[float, ...]
    prnet: tuple[float, ...]


@torch.inference_mode()
def frame_rates(rounds: int = 5, calls: int = 10) -> FrameRates:
    """Of MobileNet on crops of 120 pixels and PRNet on crops of 256, both of full width and made ready for inference.

    The weights do not matter. The mesh is that of the whole built-in head for the parameters, and face and lips for
    the position map, whose vertices are read off.

    Args:
        rounds: times each is measured, taking turns. calls: of a round, whose median counts.
    """
    face, maps = builtin_face(), PositionMaps(builtin_face(), 256, ("face", "lips"))
    by_parameters, by_map = for_inference(TDDFA("mobilenet").eval()), for_inference(PRNet().eval())
    crop, large = torch.rand(1, 3, _SIDE, _SIDE), torch.rand(1, 3, 256, 256)
    ways: tuple[Callable[[], object], ...] = (
        lambda: project(face, by_parameters(crop).parameters),
        lambda: maps.decode(positions_of(by_map(large), 256)),
    )
    found: tuple[list[float], ...] = ([], [])
    with one_thread():
        for _ in range(rounds):
            for way, rates in zip(ways, found, strict=True):
                rates.append(1000 / median_milliseconds(way, calls))
    return FrameRates(*(tuple(rates) for rates in found))


def _pairs(model: MorphableModel, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Predicted and true parameters ``(count, 62)`` in double precision.

    The true cameras are exact scaled rotations to a crop that the face fills as on the real ones, to about 0.7.
    """
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    width = float(model.mean[0].max() - model.mean[0].min())
    scale = 0.7 * _SIDE / width * (1 + 0.1 * noise(count))
    angles = torch.tensor([20.0, 40.0, 15.0]).deg2rad() * noise(count, 3)
    shift = _SIDE / 2 + 5 * noise(count, 3)
    coefficients = (part.double() for part in model.sample(count, generator))
    target = pack(compose(scale, angles, shift), *coefficients)
    std = ParameterStatistics.fit(target).std
    return target + _ERROR * std * noise(count, target.shape[1]), target
