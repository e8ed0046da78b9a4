"""The network of 62 parameters: how its answers are read, and that what undoes the whitening travels with it."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from facelab.face3d import ParameterStatistics
from facelab.models import TDDFA
from facelab.models.tddfa import LANDMARKS, PARAMETER_TRUNKS
from facelab.training import load_weights, save_weights

SMALL = "mobilenet x0.25"
PIXELS = (0.0, 0.5, 1.0)


def _statistics() -> ParameterStatistics:
    """With a parameter that never varies, as the depth of a camera without one."""
    generator = torch.Generator().manual_seed(3)
    std = torch.rand(62, generator=generator) + 0.1
    std[11] = 0
    return ParameterStatistics(10 * torch.randn(62, generator=generator), std)


def _last(network: nn.Module) -> nn.Linear:
    return [module for module in network.modules() if isinstance(module, nn.Linear)][-1]


class _Channels(nn.Module):
    """Answers the first pixel's red, and then other numbers that are known."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.rest = torch.linspace(-2, 2, outputs - 1)

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([images[:, :1, 0, 0], self.rest.expand(len(images), -1)], 1)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a trunk ``"channels"``."""
    monkeypatch.setattr("facelab.models.tddfa.PARAMETER_TRUNKS", {"channels": _Channels})


@pytest.mark.parametrize("trunk", PARAMETER_TRUNKS)
@pytest.mark.parametrize("outputs", [62, 62 + 136])
def test_every_trunk_has_as_many_outputs_as_it_is_asked_for(trunk: str, outputs: int) -> None:
    with torch.device("meta"):
        network = PARAMETER_TRUNKS[trunk](outputs).eval()
        assert network(torch.zeros(2, 3, 120, 120)).shape == (2, outputs)


def test_the_branch_is_136_more_rows_and_nothing_else() -> None:
    plain, branched = TDDFA(SMALL).state_dict(), TDDFA(SMALL, landmarks=True).state_dict()
    other = {name for name in plain if plain[name].shape != branched[name].shape}
    assert plain.keys() == branched.keys()
    assert sorted(branched[name].shape[0] - plain[name].shape[0] for name in other) == [136, 136]  # weight and bias


@pytest.mark.parametrize("landmarks", [False, True])
def test_a_network_that_says_nothing_answers_the_mean(landmarks: bool) -> None:
    known = _statistics()
    network = TDDFA(SMALL, known, landmarks).eval()
    last = _last(network)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    with torch.inference_mode():
        answer = network(torch.rand(2, 3, 48, 48))
    assert torch.equal(answer.parameters, known.mean.expand(2, -1))
    if landmarks:
        assert answer.landmarks is not None and answer.landmarks.shape == (2, LANDMARKS, 2)
        assert not answer.landmarks.any()
    else:
        assert answer.landmarks is None


@pytest.mark.usefixtures("seen")
def test_whitening_is_undone_and_the_branch_is_left_as_it_is() -> None:
    known = _statistics()
    network = TDDFA("channels", known, landmarks=True)
    answer = network(torch.full((2, 3, 4, 4), 0.5))
    said = torch.cat([torch.zeros(1), torch.linspace(-2, 2, 62 + 136 - 1)])
    torch.testing.assert_close(answer.parameters, known.unwhiten(said[:62]).expand(2, -1))
    torch.testing.assert_close(answer.landmarks, said[62:].view(68, 2).expand(2, -1, -1), atol=0, rtol=0)
    assert torch.equal(answer.parameters[:, 11], known.mean[11].expand(2))


@pytest.mark.usefixtures("seen")
def test_pixels_are_seen_as_the_paper_has_them() -> None:
    """From 0 to 255, less 127.5, over 128."""
    network = TDDFA("channels")
    images = torch.tensor(PIXELS)[:, None, None, None].expand(-1, 3, 4, 4)
    expected = torch.tensor([-127.5 / 128, 0.0, 127.5 / 128])
    torch.testing.assert_close(network(images).parameters[:, 0], expected)


def test_the_statistics_are_saved_with_the_weights(tmp_path: Path) -> None:
    known = _statistics()
    network = TDDFA(SMALL, known).eval()
    again = TDDFA(SMALL).eval()
    assert not torch.equal(again.statistics.mean, known.mean)
    save_weights(network, tmp_path / "model.safetensors")
    load_weights(again, tmp_path / "model.safetensors")
    assert torch.equal(again.statistics.mean, known.mean) and torch.equal(again.statistics.std, known.std)
    images = torch.rand(2, 3, 48, 48)
    with torch.inference_mode():
        assert torch.equal(again(images).parameters, network(images).parameters)


def test_the_statistics_are_its_own_and_are_not_learnt() -> None:
    known = _statistics()
    network = TDDFA(SMALL, known)
    network.get_buffer("mean").add_(1)
    assert torch.equal(known.mean, _statistics().mean)
    assert not {"mean", "std"} & {name for name, _ in network.named_parameters()}


def test_an_unknown_trunk_is_refused() -> None:
    with pytest.raises(ValueError, match=r"trunk: expected one of mobilenet, .*resnet-22, got 'resnet50'"):
        TDDFA("resnet50")
