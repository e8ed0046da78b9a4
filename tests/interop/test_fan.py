"""Checkpoints of the authors give the authors' outputs, in whatever form they come."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facelab.interop import fan_depth_names, fan_names, landmark_maps, load_fan, load_fan_depth
from facelab.models import FAN, FANDepth
from tests.interop import authors

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


def _close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5 * max(1.0, float(theirs.abs().max())))


@pytest.fixture
def one_stack() -> dict[str, Tensor]:
    """A slim checkpoint under the authors' keys."""
    torch.manual_seed(1)
    return _their_state(FAN(stacks=1, landmarks=5, width=16, depth=2), fan_names)


@pytest.fixture
def depth() -> dict[str, Tensor]:
    torch.manual_seed(2)
    return _their_state(FANDepth(landmarks=5, blocks=(1, 2, 1, 1), width=2), fan_depth_names)


def _their_state(network: Any, name_all: Callable[[Any], dict[str, str]]) -> dict[str, Tensor]:
    authors.randomised(network)
    names = name_all(network)
    keys = {key: key.rpartition(".") for key in network.state_dict()}
    return {f"{names[keys[key][0]]}.{keys[key][2]}": value for key, value in network.state_dict().items()}


@pytest.mark.parametrize("stacks", [1, 4])
def test_fan_gives_what_theirs_gives(stacks: int) -> None:
    torch.manual_seed(0)
    theirs = authors.fan(stacks)
    ours = load_fan(theirs.state_dict())
    pictures = torch.rand(2, 3, 64, 128)
    with torch.inference_mode():
        expected, got = theirs(pictures), ours(pictures)
    assert len(got) == len(expected) == stacks
    for a, b in zip(got, expected, strict=True):
        assert a.shape == (2, 68, 16, 32) and float(b.std()) > 0.01
        _close(a, b)


def test_guided_fan_gives_what_theirs_gives() -> None:
    torch.manual_seed(0)
    theirs = authors.fan_class()(1)
    theirs.conv1 = nn.Conv2d(3 + 68, 64, 7, stride=2, padding=3)
    authors.randomised(theirs)
    inputs = torch.rand(1, 3 + 68, 64, 64)
    with torch.inference_mode():
        _close(load_fan(theirs.state_dict())(inputs)[0], theirs(inputs)[0])


@pytest.mark.parametrize(("side", "blocks"), [(256, ()), (193, (1, 2, 1, 1)), (416, (1, 1, 1, 1))])
def test_depth_network_gives_what_theirs_gives(side: int, blocks: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    theirs = authors.depth_network(*blocks)
    ours = load_fan_depth({"state_dict": {f"module.{key}": value for key, value in theirs.state_dict().items()}})
    inputs = torch.rand(1, 3 + 68, side, side)
    with torch.inference_mode():
        expected = theirs(inputs)
        assert expected.shape == (1, 68) and float(expected.std()) > 0.01
        _close(ours(inputs), expected)


def test_every_key_of_theirs_has_one_of_ours() -> None:
    networks: list[tuple[nn.Module, dict[str, str]]] = [
        (authors.fan(2), fan_names(FAN(stacks=2))),
        (authors.depth_network(1, 2, 1, 1), fan_depth_names(FANDepth(blocks=(1, 2, 1, 1)))),
    ]
    for theirs, names in networks:
        assert {key.rpartition(".")[0] for key in theirs.state_dict()} <= set(names.values())
        assert set(names.values()) <= {name for name, _ in theirs.named_modules()}
        assert len(set(names.values())) == len(names)


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("wrapper", [None, "state_dict"])
def test_key_styles(prefix: str, wrapper: str | None, one_stack: dict[str, Tensor], tmp_path: Path) -> None:
    state = {prefix + key: value for key, value in one_stack.items() if not key.endswith("num_batches_tracked")}
    path = tmp_path / "fan.pth.tar"
    torch.save({wrapper: state, "epoch": 3, "best": np.float64(0.5)} if wrapper else state, path)
    for checkpoint in (path, str(path), state):
        network = load_fan(checkpoint)
        assert not network.training
        _same(network, load_fan(one_stack), but="num_batches_tracked")


@pytest.mark.parametrize("numpy", [b"numpy._core.", b"numpy.core."])
def test_a_file_of_before_zip_files(numpy: bytes, one_stack: dict[str, Tensor], tmp_path: Path) -> None:
    """Beside the weights is a number of NumPy, under the name of its module now or before NumPy 2."""
    path = tmp_path / "fan.pth.tar"
    torch.save({"state_dict": one_stack, "best": np.float64(0.5)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    assert b"numpy._core.multiarray\nscalar" in content or b"numpy.core.multiarray\nscalar" in content
    path.write_bytes(re.sub(rb"numpy\._?core\.(?=multiarray\nscalar)", numpy, content))
    _same(load_fan(path), load_fan(one_stack))


def test_half_precision_becomes_single(one_stack: dict[str, Tensor]) -> None:
    network = load_fan({key: value.half() for key, value in one_stack.items()})
    assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_sizes_are_found_from_the_keys(one_stack: dict[str, Tensor], depth: dict[str, Tensor]) -> None:
    network = load_fan(one_stack)
    assert [tuple(m.shape) for m in network(torch.rand(1, 3, 32, 32))] == [(1, 5, 8, 8)]
    assert [len(stage) for stage in load_fan_depth(depth).stages] == [1, 2, 1, 1]
    assert isinstance(load_fan(one_stack, pool="max").stem[4], nn.MaxPool2d)


@pytest.mark.parametrize("kind", ["traced", "scripted"])
def test_torchscript_archives(
    kind: str, one_stack: dict[str, Tensor], depth: dict[str, Tensor], tmp_path: Path
) -> None:
    """The modules of an archive carry the authors' names, so one is made of modules with such names."""
    for state, load in ((one_stack, load_fan), (depth, load_fan_depth)):
        holder = _holder(state)
        program = torch.jit.trace(holder, torch.zeros(1)) if kind == "traced" else torch.jit.script(holder)
        program.save(str(tmp_path / "net.zip"))
        _same(load(tmp_path / "net.zip"), load(state))


def test_torchscript_archive_of_theirs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = authors.fan(1)
    with torch.inference_mode():
        torch.jit.trace(theirs, torch.zeros(1, 3, 64, 64), strict=False).save(str(tmp_path / "fan.zip"))
    _same(load_fan(tmp_path / "fan.zip"), load_fan(theirs.state_dict()))


class _Holder(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1


def _holder(state: dict[str, Tensor]) -> nn.Module:
    root = _Holder()
    for key, value in state.items():
        *path, leaf = key.split(".")
        module: nn.Module = root
        for part in path:
            if part not in dict(module.named_children()):
                module.add_module(part, _Holder())
            module = module.get_submodule(part)
        module.register_buffer(leaf, value)
    return root.eval()


def _same(ours: nn.Module, other: nn.Module, but: str = "nothing") -> None:
    a, b = ours.state_dict(), other.state_dict()
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) for key in a if not key.endswith(but))


def test_one_message_for_what_is_no_fan(one_stack: dict[str, Tensor], depth: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    cases: list[tuple[Any, str]] = [
        (
            _without(one_stack, "m0.b2_plus_1.conv3.weight"),
            "'m0.b2_plus_1.conv3.weight' of shape (4, 4, 3, 3) is missing",
        ),
        (one_stack | {"l0.bias": torch.zeros(6)}, "'l0.bias' has shape (6,), expected (5,)"),
        (one_stack | {"al0.weight": torch.zeros(2, 3)}, "which has no 'al0.weight', here of shape (2, 3)"),
        (one_stack | {"conv1.weight": torch.zeros(())}, "'conv1.weight' has shape ()"),
        (
            one_stack | {"conv1.weight": torch.zeros(3, 3, 7, 7)},
            "'conv1.weight' has shape (3, 3, 7, 7), expected (64, 3, 7, 7)",
        ),
        (depth, "'conv1.weight' has shape (2, 8, 7, 7), expected (64, 8, 7, 7)"),
        (depth | {"conv1.weight": torch.zeros(64, 71, 7, 7)}, "'conv1.bias' of shape (64,) is missing"),
        ({}, "expected a state dict, got dict without tensors"),
        ([torch.zeros(1)], "expected a state dict, got list"),
        ({"epoch": 3}, "expected a state dict, but 'epoch' is of type int"),
    ]
    for content, message in cases:
        torch.save(content, path)
        with pytest.raises(ValueError, match=f"{re.escape(str(path))}: .*{re.escape(message)}"):
            load_fan(path)
    with pytest.raises(ValueError, match=r"^state dict: .* depth network .*'layer1.0.bn1.weight' of shape \(2,\) is m"):
        load_fan_depth(_without(depth, "layer1.0.bn1.weight"))


def _without(state: dict[str, Tensor], key: str) -> dict[str, Tensor]:
    return {other: value for other, value in state.items() if other != key}


def test_landmark_maps_are_theirs() -> None:
    """To the pixel, along all borders too, on a crop of which they stay inside their own arrays."""
    draw = authors.draw_gaussian()
    generator = torch.Generator().manual_seed(0)
    inside = torch.rand(200, 2, generator=generator) * torch.tensor([60.0, 44.0]) - 0.5
    edges = torch.tensor(
        [[x, y] for x in (-3.0, -0.5, 0.0, 5.4, 6.5, 57.7, 59.4) for y in (-0.6, 0.2, 5.6, 43.4, 44.9)]
    )
    points = torch.cat([inside, edges])
    maps = landmark_maps(points[None], 44, 60)[0].numpy()
    for point, map_ in zip((points + 0.5).numpy(), maps, strict=True):
        expected = np.zeros((44, 60), np.float32)
        if point[0] > 0 and point[1] > 0:
            expected = draw(expected, point, 2)
        np.testing.assert_allclose(map_, expected, atol=1e-6, err_msg=str(point))
    with pytest.raises(ValueError, match=r"expected floating-point \(B, L, 2\)"):
        landmark_maps(torch.zeros(68, 2))
