"""What a head wears is drawn by the names of the styles."""

import torch

from facelab.data.draws import Draws
from facelab.data.synthetic.wear import sample_styles
from facelab.face3d import builtin_face


def test_wear_is_drawn_by_name() -> None:
    face = builtin_face()
    styles = sample_styles(face, Draws(2000, torch.Generator().manual_seed(10)))
    assert styles.shape == (2000, len(face.style_names))
    place = {name: column for column, name in enumerate(face.style_names)}
    cuts = [column for name, column in place.items() if name.startswith("hair_") and name != "hair_volume"]
    worn = (styles[:, cuts] > 0).sum(1)
    assert int(worn.max()) <= 1
    glasses = (styles[:, [place["glasses_round"], place["glasses_square"]]] > 0).any(1)
    assert 0.1 < float(glasses.float().mean()) < 0.35
    assert bool(glasses[styles[:, place["lenses_round"]] > 0].all())
