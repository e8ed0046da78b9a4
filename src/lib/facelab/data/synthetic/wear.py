"""What a head wears: a draw over the styles of a model, by their names."""

import torch
from torch import Tensor

from facelab.data.draws import Draws
from facelab.face3d import MorphableModel

# Shares of the cuts among heads with hair; a cut that a model does not have is never drawn.
_CUTS = {
    "hair_short": 3.0, "hair_crew": 1.2, "hair_side_part": 2.0, "hair_curly": 1.2, "hair_afro": 0.8, "hair_bob": 1.8,
    "hair_long": 2.6, "hair_tied": 1.2, "hair_receding": 0.8,
}  # fmt: skip
_BALD = 0.07
# Amounts of what comes on top: chance, lowest and highest coefficient.
_EXTRAS = {
    "fringe": (0.25, 0.5, 1.0), "beard_full": (0.16, 0.4, 1.2), "moustache": (0.10, 0.5, 1.0),
    "mask": (0.03, 1.0, 1.0),
}  # fmt: skip
_HEADWEAR = (("cap", 0.06), ("beanie", 0.03))
_GLASSES = (("glasses_round", 0.09), ("glasses_square", 0.12))
_SUNGLASSES = 0.35  # of the glasses
_FACIAL_HAIR = ("beard_full", "moustache")


def sample_styles(model: MorphableModel, draws: Draws) -> Tensor:
    """Coefficients ``(B, Ks)`` of ``model.style``: one cut of hair (or none), and at times glasses, a cap, a beard."""
    place = {name: column for column, name in enumerate(model.style_names)}
    styles = torch.zeros(draws.count, len(place))
    _put_on_hair(styles, place, draws)
    for name, (chance, low, high) in _EXTRAS.items():
        _put_on(styles, place, name, draws.some(chance, low, high))
    long_hair = sum((styles[:, place[name]] for name in ("hair_bob", "hair_long") if name in place), torch.zeros(()))
    for name in _FACIAL_HAIR:
        if name in place:
            styles[:, place[name]] *= long_hair < 0.5
    one = draws.uniform(0, 1)
    low = 0.0
    for name, share in _HEADWEAR:
        _put_on(styles, place, name, ((one >= low) & (one < low + share)).float())
        low += share
    _put_on_glasses(styles, place, draws)
    return styles


def _put_on(styles: Tensor, place: dict[str, int], name: str, amount: Tensor) -> None:
    if name in place:
        styles[:, place[name]] = amount


def _put_on_hair(styles: Tensor, place: dict[str, int], draws: Draws) -> None:
    cuts = {name: share for name, share in _CUTS.items() if name in place} or {"": 1.0}
    cut = draws.one_of(tuple(cuts.values()))
    bald = draws.chance(_BALD)
    for number, name in enumerate(cuts):
        _put_on(styles, place, name, ((cut == number) & ~bald).float())
    _put_on(styles, place, "hair_volume", ~bald * draws.normal().clamp(-1.5, 1.5))


def _put_on_glasses(styles: Tensor, place: dict[str, int], draws: Draws) -> None:
    one, worn = draws.uniform(0, 1), torch.zeros(draws.count)
    low = 0.0
    for name, share in _GLASSES:
        chosen = ((one >= low) & (one < low + share)).float()
        low += share
        _put_on(styles, place, name, chosen)
        worn = worn + chosen
    _put_on(styles, place, "lenses", worn * draws.chance(_SUNGLASSES))
