"""Whitened parameters become raw ones by the statistics that are saved with the weights."""

import torch

from facelab.face3d import ParameterStatistics
from facelab.models.whitening import WhitenedParameters, centred


def test_statistics_undo_the_whitening_and_are_saved() -> None:
    generator = torch.Generator().manual_seed(0)
    parameters = 3 + 2 * torch.randn(20, 62, generator=generator)
    known = ParameterStatistics.fit(parameters)
    network = WhitenedParameters(known)
    torch.testing.assert_close(network.raw(known.whiten(parameters).half()), parameters, atol=2e-2, rtol=2e-3)
    assert network.raw(torch.zeros(1, 62, dtype=torch.float16)).dtype == torch.float32
    loaded = WhitenedParameters(None)
    assert not loaded.statistics.mean.any()
    loaded.load_state_dict(network.state_dict())
    assert torch.equal(loaded.statistics.std, known.std)


def test_colours_are_those_of_the_authors() -> None:
    images = torch.tensor([0.0, 0.5, 1.0])
    torch.testing.assert_close(centred(images), torch.tensor([-127.5, 0.0, 127.5]) / 128)
