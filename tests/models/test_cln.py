"""CLN: what each stream sees, what is answered and when, and its deployed copy."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from facelab.face3d import ParameterStatistics
from facelab.models import CLN, RepVGGBlock
from facelab.models.cln import ATTENTIONS, STREAMS
from facelab.training import load_weights, save_weights

SMALL = "short x0.25"


def _statistics() -> ParameterStatistics:
    generator = torch.Generator().manual_seed(3)
    std = torch.rand(62, generator=generator) + 0.1
    std[11] = 0
    return ParameterStatistics(10 * torch.randn(62, generator=generator), std)


def _pictures(seed: int, count: int = 3) -> Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


def _network(
    attention: str = "transformer", streams: str = "both", statistics: ParameterStatistics | None = None
) -> CLN:
    """Every layer with random numbers, and statistics of its own in BN."""
    torch.manual_seed(0)
    network = CLN(SMALL, statistics, attention, streams)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.momentum = 1.0
        network(_pictures(7, 8), _pictures(8, 8))
    return network.eval()


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_it_is_made_without_a_word() -> None:
    network = CLN().eval()
    with torch.inference_mode():
        answer = network(torch.zeros(1, 3, 224, 224))
    assert answer[0] is answer.parameters and answer.parameters.shape == (1, 62) and answer.streams == ()
    assert network.streams.keys() == {"global", "local"} and not network.deploy().training


def test_sizes() -> None:
    """Two trunks of 7.83 million in training and 7.03 deployed, layers of 62 and, for each stream, the attention."""
    network = CLN(attention="none")
    head, alone = (2 * 1280 + 1) * 62, 2 * (1280 + 1) * 62
    assert _parameters(network) == 2 * 7_827_968 + head + alone
    assert _parameters(network.deploy()) == 2 * 7_028_384 + head


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_every_choice_answers_and_is_trained(attention: str, streams: str) -> None:
    network = _network(attention, streams, _statistics()).train()
    answer = network(_pictures(0), _pictures(1))
    assert answer.parameters.shape == (3, 62)
    assert [alone.shape for alone in answer.streams] == [(3, 62)] * (2 if len(STREAMS[streams]) == 2 else 0)
    sum(output.square().sum() for output in (answer.parameters, *answer.streams)).backward()  # type: ignore[union-attr]
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.isfinite().all()), name
    assert network.eval()(_pictures(0), _pictures(1)).streams == ()


@pytest.mark.parametrize(
    ("streams", "by_whole", "by_shuffled"),
    [("both", True, True), ("global", True, False), ("local", False, True), ("two globals", True, False)],
)
def test_who_sees_what(streams: str, by_whole: bool, by_shuffled: bool) -> None:
    network, whole, shuffled, other = _network(streams=streams), _pictures(0), _pictures(1), _pictures(2)
    with torch.inference_mode():
        answer = network(whole, shuffled).parameters
        assert torch.equal(network(other, shuffled).parameters, answer) != by_whole
        assert torch.equal(network(whole, other).parameters, answer) != by_shuffled
        assert torch.equal(network(whole).parameters, network(whole, whole).parameters)


def test_each_stream_answers_for_itself() -> None:
    """By its own features, its own layer and the statistics; the joint layer has both features."""
    known = _statistics()
    network = _network(statistics=known)
    for module in network.modules():  # the answers of streams are given in training only; BN is to stay as it is
        module.training = module is network
    whole, shuffled = _pictures(0), _pictures(1)
    with torch.no_grad():
        answer = network(whole, shuffled)
        given = {"global": whole, "local": shuffled}
        features = [stream((255 * given[name] - 127.5) / 128) for name, stream in network.streams.items()]
        for alone, head, feature in zip(answer.streams, network.heads.values(), features, strict=True):
            torch.testing.assert_close(alone, known.unwhiten(head(feature)))
        torch.testing.assert_close(answer.parameters, known.unwhiten(network.head(torch.cat(features, 1))))
    assert not torch.equal(answer.streams[0], answer.streams[1])
    assert torch.equal(answer.parameters[:, 11], known.mean[11].expand(3))


def test_streams_share_nothing() -> None:
    network = CLN(SMALL)
    first, second = (stream.state_dict() for stream in network.streams.values())
    assert first.keys() == second.keys()
    assert not {value.data_ptr() for value in first.values()} & {value.data_ptr() for value in second.values()}
    name = "trunk.stem.dense.0.weight"
    assert not torch.equal(first[name], second[name])


def test_features_are_means_of_the_map_after_attention() -> None:
    stream = _network("coordinate").streams["global"]
    x = _pictures(0)
    with torch.no_grad():
        maps = stream.trunk(x)
        assert maps.shape == (3, 320, 4, 4)
        torch.testing.assert_close(stream(x), stream.attention(maps).mean((2, 3)))
        assert stream.attention.maps(maps).rows.shape == (3, 320, 4, 1)


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_the_deployed_copy_gives_the_same_numbers(attention: str, streams: str) -> None:
    network, whole, shuffled = _network(attention, streams), _pictures(0), _pictures(1)
    fast = network.train().deploy()
    network.eval()
    assert isinstance(fast, CLN) and not fast.training and not any(isinstance(m, RepVGGBlock) for m in fast.modules())
    with torch.inference_mode():
        for given in ((whole,), (whole, shuffled)):
            expected, got = network(*given), fast(*given)
            assert float(expected.parameters.std()) > 0.05
            torch.testing.assert_close(got.parameters, expected.parameters, atol=1e-5, rtol=1e-5)
            assert got.streams == ()
        assert fast.train()(whole).streams == ()  # what trained the streams is gone


def test_statistics_travel_with_the_weights(tmp_path: Path) -> None:
    network, again = _network(statistics=_statistics()), CLN(SMALL).eval()
    save_weights(network, tmp_path / "model.safetensors")
    load_weights(again, tmp_path / "model.safetensors")
    assert torch.equal(again.statistics.mean, network.statistics.mean)
    with torch.inference_mode():
        assert torch.equal(again(_pictures(0)).parameters, network(_pictures(0)).parameters)
        torch.testing.assert_close(again.deploy()(_pictures(0)).parameters, network(_pictures(0)).parameters)


def test_bad_input_is_named() -> None:
    for call, message in (
        (lambda: CLN("a9"), r"trunk: expected one of a0, .*short x0.25, got 'a9'"),
        (lambda: CLN(SMALL, attention="CAT"), "attention: expected one of none, coordinate, transformer, convolution"),
        (lambda: CLN(SMALL, streams="three"), "streams: expected one of both, global, local, two globals, got 'three'"),
        (lambda: CLN(SMALL)(_pictures(0), _pictures(0, 2)), r"shuffled: expected \(3, 3, 64, 64\) as images, got \(2"),
        (lambda: CLN(SMALL)(_pictures(0)[:, :1]), r"RepVGG images: expected a floating-point tensor \(B, 3, H, W\)"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
