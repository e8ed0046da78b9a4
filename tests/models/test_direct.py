"""Direct regression: sizes on record, what it starts from, and that the mean shape travels with the weights."""

from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from facelab.models import TRUNKS, DirectRegression
from facelab.training import load_weights, save_weights


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("trunk", ["resnet50", "densenet121", "wide_resnet50_2", "resnet18"])
def test_the_trunks_are_torchvisions(trunk: str) -> None:
    with torch.device("meta"):
        outright = DirectRegression(98, trunk, displacement=False)
    features = outright.last.in_features
    on_record = torchvision.models.get_model_weights(trunk).DEFAULT.meta["num_params"]
    assert _count(outright) == on_record - 1000 * (features + 1) + 196 * (features + 1)


@pytest.mark.parametrize("trunk", TRUNKS)
def test_untrained_it_answers_the_mean_shape(trunk: str) -> None:
    mean = torch.rand(68, 2) - 0.5
    network = DirectRegression("68", trunk, mean).eval()
    with torch.inference_mode():
        assert torch.equal(network(torch.rand(2, 3, 64, 32)), mean.expand(2, -1, -1))


def test_outright_it_starts_from_the_centre() -> None:
    network = DirectRegression(5, "cnn6", displacement=False).eval()
    assert torch.equal(network(torch.rand(2, 3, 64, 64)), torch.zeros(2, 5, 2))


def test_displacement_is_added_to_the_mean_shape() -> None:
    torch.manual_seed(0)
    mean = torch.rand(7, 2)
    moved, outright = DirectRegression(7, "cnn6", mean).eval(), DirectRegression(7, "cnn6", displacement=False).eval()
    nn.init.normal_(moved.last.weight)
    outright.load_state_dict({**moved.state_dict(), "mean_shape": torch.zeros(7, 2)})
    images = torch.rand(3, 3, 48, 64)
    torch.testing.assert_close(moved(images) - mean, outright(images))
    assert float(outright(images).detach().std()) > 0


def test_all_of_it_learns() -> None:
    torch.manual_seed(0)
    network = DirectRegression(4, "cnn6", torch.zeros(4, 2))
    images, target = torch.rand(6, 3, 64, 64), torch.rand(6, 4, 2) - 0.5
    optimizer = torch.optim.Adam(network.parameters(), 3e-4)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = (network(images) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.3 * losses[0]
    assert all(p.grad is not None and bool(p.grad.any()) for p in network.parameters())


def test_colours_are_imagenets() -> None:
    network = DirectRegression(4, "cnn6", displacement=False)
    seen: list[torch.Tensor] = []
    network.trunk.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    images = torch.rand(2, 3, 32, 32)
    network.eval()(images)
    wanted = torchvision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])(images)
    torch.testing.assert_close(seen[0], wanted)


def test_the_mean_shape_travels_with_the_weights(tmp_path: Path) -> None:
    mean = torch.rand(4, 2)
    save_weights(DirectRegression(4, "cnn6", mean), tmp_path / "model.safetensors", {})
    loaded = DirectRegression(4, "cnn6", torch.zeros(4, 2))
    load_weights(loaded, tmp_path / "model.safetensors")
    assert torch.equal(loaded.mean_shape, mean)
    assert not any(name == "mean_shape" for name, _ in loaded.named_parameters())  # it is not learnt


def test_a_mark_up_tells_how_many_points() -> None:
    assert DirectRegression("98", "cnn6", displacement=False).last.out_features == 196


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trunk": "vgg16", "displacement": False}, "trunk: expected one of resnet50, .*, got 'vgg16'"),
        ({"landmarks": 0, "displacement": False}, "DirectRegression landmarks: expected at least 1, got 0"),
        ({"landmarks": "67", "displacement": False}, "67"),
        ({"trunk": "cnn6"}, r"DirectRegression mean_shape: expected \(68, 2\) coordinates to displace, got none"),
        ({"trunk": "cnn6", "mean_shape": torch.zeros(5, 2)}, r"expected \(68, 2\) finite numbers, got \(5, 2\)"),
        ({"trunk": "cnn6", "mean_shape": torch.full((68, 2), torch.nan)}, r"expected \(68, 2\) finite numbers"),
        (
            {"trunk": "cnn6", "mean_shape": torch.zeros(68, 2), "displacement": False},
            "DirectRegression mean_shape: expected none without displacement",
        ),
        ({"trunk": "cnn6", "displacement": False, "pretrained": True}, "there are no weights for cnn6"),
    ],
)
def test_settings_that_do_not_fit_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DirectRegression(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 1, 64, 64), r"DirectRegression images: expected a floating-point tensor \(B, 3, H, W\), got"),
        (torch.zeros(2, 3, 64, 64, dtype=torch.uint8), "got torch.uint8"),
        (torch.zeros(2, 3, 64, 31), "DirectRegression images: expected at least 32 x 32 pixels, got 64 x 31"),
    ],
)
def test_pictures_that_do_not_fit_are_refused(images: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DirectRegression(4, "cnn6", displacement=False)(images)
