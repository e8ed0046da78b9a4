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
_FRINGES = (("fringe", 0.13), ("fringe_swept", 0.13))
_FRINGED = ("hair_short", "hair_bob", "hair_long", "hair_tied", "hair_curly")  # cuts that a fringe goes with
# Beards: chance, lowest and highest coefficient.
_BEARDS = {"beard_full": (0.15, 0.4, 1.15), "moustache": (0.08, 0.6, 1.1)}
_HEADWEAR = (("cap", 0.06), ("beanie", 0.03))
_UNDER_HEADWEAR = ("hair_short", "hair_crew", "hair_bob", "hair_long", "hair_receding")  # cuts that fit below
_GLASSES = (("round", 0.09), ("square", 0.12))
_SUNGLASSES = 0.35  # of the glasses
_LOCKS = ("hair_bob", "hair_long", "hair_tied")  # cuts without a beard


def sample_styles(model: MorphableModel, draws: Draws) -> Tensor:
    """Coefficients ``(B, Ks)`` of ``model.style``: one cut of hair (or none), and at times glasses, a cap, a beard."""
    worn = _Wardrobe(model, draws.count)
    _put_on_hair(worn, draws)
    fringed = worn.any_of(_FRINGED)
    for name, chosen in _one_at_most(_FRINGES, draws):
        worn.put_on(name, chosen & fringed)
    beardless = worn.any_of(_LOCKS)
    for name, (chance, low, high) in _BEARDS.items():
        worn.put_on(name, draws.some(chance, low, high) * ~beardless)
    fits, bulky = worn.any_of(_UNDER_HEADWEAR), worn.amount("hair_volume") > 0
    for name, chosen in _one_at_most(_HEADWEAR, draws):
        worn.put_on(name, chosen & fits & ~bulky)
    dark = draws.chance(_SUNGLASSES)
    for shape, chosen in _one_at_most(_GLASSES, draws):
        worn.put_on(f"glasses_{shape}", chosen)
        worn.put_on(f"lenses_{shape}", chosen & dark)
    return worn.styles


class _Wardrobe:
    """Styles being chosen; what a model does not have is passed over."""

    def __init__(self, model: MorphableModel, count: int) -> None:
        self.place = {name: column for column, name in enumerate(model.style_names)}
        self.styles = torch.zeros(count, len(self.place))

    def put_on(self, name: str, amount: Tensor) -> None:
        if name in self.place:
            self.styles[:, self.place[name]] = amount.float()

    def amount(self, name: str) -> Tensor:
        """``(B,)``, zero for what the model does not have."""
        return self.styles[:, self.place[name]] if name in self.place else torch.zeros(len(self.styles))

    def any_of(self, names: tuple[str, ...]) -> Tensor:
        """``(B,)`` bool."""
        return torch.stack([self.amount(name) > 0 for name in names]).any(0)


def _put_on_hair(worn: _Wardrobe, draws: Draws) -> None:
    cuts = {name: share for name, share in _CUTS.items() if name in worn.place} or {"": 1.0}
    cut, bald = draws.one_of(tuple(cuts.values())), draws.chance(_BALD)
    for number, name in enumerate(cuts):
        worn.put_on(name, (cut == number) & ~bald)
    worn.put_on("hair_volume", ~bald * draws.normal().clamp(-0.6, 1.5))


def _one_at_most(shares: tuple[tuple[str, float], ...], draws: Draws) -> list[tuple[str, Tensor]]:
    """Each name with ``(B,)`` bool; no two are chosen at once."""
    one, low, chosen = draws.uniform(0, 1), 0.0, []
    for name, share in shares:
        chosen.append((name, (one >= low) & (one < low + share)))
        low += share
    return chosen
