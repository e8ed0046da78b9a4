"""A network made fast on a CPU: the same numbers in less time.

What is done for inference, in this order of worth; the first and the last serve training too:

- 3 x 3 convolutions by Winograd's minimal filtering: a quarter of the multiplications. A tile of 6 x 6 inputs becomes
  36 numbers a channel, 36 matrix products replace the sliding window, and 6 x 6 products become 4 x 4 outputs.
- BN and ReLU before such a convolution happen while its tiles are read. They cannot be folded into the weights: in a
  block of FAN the sum before them is needed as it is, and the ReLU stands between BN and weights.
- BN directly after a convolution is folded into its weights, and an activation after that is applied while the
  convolution's outputs are written.
- Channels last, and few pictures at a time: a batch of large pictures falls out of the processor's cache.

Source: Lavin and Gray 2016, "Fast algorithms for convolutional neural networks", F(4 x 4, 3 x 3).
"""

import copy
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_TILE = 4  # outputs a side; a tile reads two inputs more
_POINTS = (_TILE + 2) ** 2
_FEWEST_CHANNELS = 64  # with fewer, the tiles cost more than the products save
_PIXELS = 256 * 256  # of the pictures that go through the network together
_STRIP = 128  # tiles that go through all three steps together, to stay in the cache
_ACTIVATIONS: dict[type[nn.Module], str] = {nn.ReLU: "relu", nn.Hardswish: "hardswish"}  # to oneDNN's names
# G, transposed B and transposed A of the paper: of the weights, of the inputs, of the products.
_FILTERS = (
    (1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1),
)  # fmt: skip
_INPUTS = (
    (4, 0, -5, 0, 1, 0), (0, -4, -4, 1, 1, 0), (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0), (0, 2, -1, -2, 1, 0), (0, 4, 0, -5, 0, 1),
)  # fmt: skip
_PRODUCTS = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))


def for_inference(network: nn.Module) -> nn.Module:
    """A copy of a network for evaluation, on the same device, faster than it.

    Outputs differ from the network's by rounding: a few times what float32 itself costs, below 1e-4 for the heatmaps
    of FAN. The copy takes a batch of pictures ``(B, C, H, W)`` and gives what the network gives: a tensor, or a list
    or tuple of tensors, each with one row a picture. It has no gradients, and later training of the network does not
    reach it. On CUDA only BN is folded and the memory layout changed.

    Raises:
        ValueError: if parameters are not float32, or lie on several devices.
    """
    kinds = {(parameter.dtype, parameter.device) for parameter in network.parameters()}
    if len(kinds) != 1 or next(iter(kinds))[0] != torch.float32:
        found = ", ".join(sorted(f"{dtype} on {device}" for dtype, device in kinds)) or "none"
        raise ValueError(f"network: expected float32 parameters on one device, got {found}")
    on_cpu = next(iter(kinds))[1].type == "cpu"
    holder = nn.ModuleList([copy.deepcopy(network)]).eval().requires_grad_(False)
    _rebuild(holder, on_cpu)
    fast = holder[0].to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return InParts(fast).eval() if on_cpu else fast


def for_training(network: nn.Module) -> nn.Module:
    """The same network, changed in place to train faster on a CPU; parameters and their names stay.

    Layout becomes channels last, and 3 x 3 convolutions become :class:`TrainableWinograd`. Outputs and gradients
    differ by rounding. On CUDA, and under autocast, only the layout matters.
    """
    for name, child in network.named_children():
        if _suits_winograd(child) and not isinstance(child, TrainableWinograd):
            setattr(network, name, _trainable(cast(nn.Conv2d, child)))
        else:
            for_training(child)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _trainable(convolution: nn.Conv2d) -> "TrainableWinograd":
    with torch.device("meta"):  # its own parameters are replaced at once
        layer = TrainableWinograd(convolution.in_channels, convolution.out_channels, 3, padding=1)
    layer.weight, layer.bias = convolution.weight, convolution.bias
    return layer.train(convolution.training)


class InParts(nn.Module):
    """A batch through a network in parts that fit the cache, in channels-last layout; outputs are joined again."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Any:
        if images.ndim != 4 or not images.numel():
            raise ValueError(f"images: expected at least one picture (B, C, H, W), got {tuple(images.shape)}")
        size = max(1, _PIXELS // images[0, 0].numel())
        parts = images.contiguous(memory_format=torch.channels_last).split(size)
        outputs = [self.network(part) for part in parts]
        return outputs[0] if len(outputs) == 1 else _joined(outputs)


def _joined(outputs: Sequence[Any]) -> Any:
    """Outputs of parts of a batch as those of the whole: tensors, sequences of them, or what a network leaves out."""
    first = outputs[0]
    if first is None:
        return None
    if isinstance(first, Tensor):
        return torch.cat(list(outputs))
    each = [_joined(part) for part in zip(*outputs, strict=True)]
    return type(first)(*each) if hasattr(first, "_fields") else type(first)(each)


def _rebuild(module: nn.Module, on_cpu: bool) -> None:
    """Replaces what runs faster otherwise, everywhere below a module."""
    for name, child in module.named_children():
        if type(child) is nn.Sequential:  # not a subclass, which may run its layers otherwise
            setattr(module, name, nn.Sequential(*_shortened(list(child.children()), on_cpu)))
        elif on_cpu and _suits_winograd(child):
            setattr(module, name, Winograd(cast(nn.Conv2d, child)))
    for child in module.children():
        _rebuild(child, on_cpu)


def _shortened(layers: list[nn.Module], on_cpu: bool) -> list[nn.Module]:
    """The layers of a sequence, with convolution and BN, or BN, ReLU and convolution, as one."""
    kept: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d) and kept and isinstance(kept[-1], nn.Conv2d):
            kept[-1] = fuse_conv_bn_eval(kept[-1], layer)
        elif on_cpu and _suits_winograd(layer) and [type(k) for k in kept[-2:]] == [nn.BatchNorm2d, nn.ReLU]:
            kept[-2:] = [Winograd(cast(nn.Conv2d, layer), cast(nn.BatchNorm2d, kept[-2]))]
        elif on_cpu and type(layer) in _ACTIVATIONS and kept and _suits_onednn(kept[-1]):
            kept[-1] = Activated(cast(nn.Conv2d, kept[-1]), _ACTIVATIONS[type(layer)])
        elif isinstance(layer, nn.ReLU) and kept and isinstance(kept[-1], nn.Conv2d | nn.BatchNorm2d):
            kept.append(nn.ReLU(inplace=True))  # nobody else sees what it overwrites
        else:
            kept.append(layer)
    return kept


def _suits_winograd(layer: nn.Module) -> bool:
    return (
        isinstance(layer, nn.Conv2d)
        and (layer.kernel_size, layer.stride, layer.padding) == ((3, 3), (1, 1), (1, 1))
        and (layer.dilation, layer.groups, layer.padding_mode) == ((1, 1), 1, "zeros")
        and min(layer.in_channels, layer.out_channels) >= _FEWEST_CHANNELS
    )


def _suits_onednn(layer: nn.Module) -> bool:
    return (
        type(layer) is nn.Conv2d
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
        and not _suits_winograd(layer)
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")  # it is not documented, and may go away
    )


class Activated(nn.Module):
    """A convolution and the activation after it, in one pass of oneDNN: ``(B, C_in, H, W) -> (B, C_out, H', W')``.

    The best layout of the weights depends on the size of the maps; it is kept until maps of another size come.
    float32 on the CPU, for evaluation only.
    """

    def __init__(self, convolution: nn.Conv2d, activation: str) -> None:
        super().__init__()
        self.convolution, self.activation = convolution, activation
        self.options = (convolution.padding, convolution.stride, convolution.dilation, convolution.groups)
        self.laid_out: tuple[torch.Size, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.laid_out is None or self.laid_out[0] != x.shape[2:]:
            one = (1, *x.shape[1:])
            weight = torch.ops.mkldnn._reorder_convolution_weight(self.convolution.weight, *self.options, one)
            self.laid_out = x.shape[2:], weight
        options: tuple[Any, ...] = (*self.options, self.activation, [], "")
        return torch.ops.mkldnn._convolution_pointwise(x, self.laid_out[1], self.convolution.bias, *options)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "laid_out": None}  # oneDNN's tensors cannot be copied


class Winograd(nn.Module):
    """A 3 x 3 convolution with padding 1, optionally of ReLU(BN(x)): ``(B, C_in, H, W) -> (B, C_out, H, W)``.

    float32 on the CPU, channels last, for evaluation only.
    """

    weight: Tensor
    bias: Tensor
    scale: Tensor
    shift: Tensor

    def __init__(self, convolution: nn.Conv2d, norm: nn.BatchNorm2d | None = None) -> None:
        super().__init__()
        self.activated, self.biased = norm is not None, convolution.bias is not None
        self.register_buffer("weight", _spread(convolution.weight.detach().double()).float().contiguous())
        bias = torch.zeros(()) if convolution.bias is None else convolution.bias.detach().clone()
        scale, shift = (torch.ones(()), torch.zeros(())) if norm is None else _affine(norm)
        for name, value in (("bias", bias), ("scale", scale), ("shift", shift)):
            self.register_buffer(name, value)

    def forward(self, x: Tensor) -> Tensor:
        convolved = _convolve(x, self.weight, (self.scale, self.shift) if self.activated else None)
        return convolved + self.bias[:, None, None] if self.biased else convolved


class TrainableWinograd(nn.Conv2d):
    """A 3 x 3 convolution with padding 1 whose output and gradients are computed by Winograd's filtering.

    For float32 on the CPU; elsewhere, under autocast and for a compiler, it is the plain convolution.
    """

    def forward(self, input: Tensor) -> Tensor:
        if (
            input.device.type != "cpu"
            or input.dtype != torch.float32
            or torch.is_autocast_enabled("cpu")
            or torch.compiler.is_compiling()
        ):
            return super().forward(input)
        output = _Convolution.apply(input, self.weight)
        return output if self.bias is None else output + self.bias[:, None, None]


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _convolve(x, _spread(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:  # the convolution with the kernel turned by half a turn
            of_x = _convolve(gradient, _spread(weight.flip(2, 3).transpose(0, 1)))
        if ctx.needs_input_grad[1]:
            of_weight = _gradient_of_weight(x, gradient)
        return of_x, of_weight


def _spread(weight: Tensor) -> Tensor:
    """Weights ``(C_out, C_in, 3, 3)`` as the 36 factors ``(36, C_in, C_out)`` of the products."""
    out_channels, in_channels = weight.shape[:2]
    return (
        (_matrix(_FILTERS, weight.dtype) @ weight.flatten(2).flatten(0, 1).T)
        .view(_POINTS, out_channels, in_channels)
        .mT
    )


@cache
def _matrix(transform: tuple[tuple[float, ...], ...], dtype: torch.dtype) -> Tensor:
    """The transform of both axes at once, on flattened tiles."""
    along = torch.tensor(transform, dtype=torch.float64)
    return torch.kron(along, along).to(dtype)


def _convolve(x: Tensor, spread: Tensor, activation: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """The convolution of x, or of ``relu(scale x + shift)``: ``(B, C_in, H, W) -> (B, C_out, H, W)``."""
    height, width = x.shape[2:]
    padded, output = _padded(x, activation), _whole_tiles(x, spread.shape[2])
    of_products = _matrix(_PRODUCTS, x.dtype)  # (16, 36)
    for lines, inputs in _strips(padded):
        products = torch.bmm(inputs, spread)  # (36, T, C_out)
        target = output[:, lines].permute(2, 4, 0, 1, 3, 5)  # (4, 4, B, n, m, C_out)
        target.copy_((of_products @ products.flatten(1)).view(target.shape))
    return output.flatten(3, 4).flatten(1, 2)[:, :height, :width].permute(0, 3, 1, 2)


def _gradient_of_weight(x: Tensor, gradient: Tensor) -> Tensor:
    """``(C_out, C_in, 3, 3)``: each step of the convolution, transposed."""
    height, width = x.shape[2:]
    given = _whole_tiles(x, gradient.shape[1]).zero_()
    given.flatten(3, 4).flatten(1, 2)[:, :height, :width] = gradient.permute(0, 2, 3, 1)
    of_products = _matrix(_PRODUCTS, x.dtype).T.contiguous()  # (36, 16)
    total = x.new_zeros(_POINTS, x.shape[1], gradient.shape[1])
    for lines, inputs in _strips(_padded(x)):
        outputs = given[:, lines].permute(2, 4, 0, 1, 3, 5).reshape(_TILE**2, -1)
        products = (of_products @ outputs).view(_POINTS, inputs.shape[1], -1)
        total.baddbmm_(inputs.mT, products)
    gathered = _matrix(_FILTERS, x.dtype).T @ total.flatten(1)
    return gathered.view(3, 3, x.shape[1], gradient.shape[1]).permute(3, 2, 0, 1)


def _tiles(length: int) -> int:
    return -(-length // _TILE)  # the last may be cut


def _whole_tiles(x: Tensor, channels: int) -> Tensor:
    """Room for outputs ``(B, n, 4, m, 4, channels)``: n lines of m tiles, cut ones included."""
    batch, _, height, width = x.shape
    return x.new_empty(batch, _tiles(height), _TILE, _tiles(width), _TILE, channels)


def _padded(x: Tensor, activation: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """``(B, 4 n + 2, 4 m + 2, C)`` with x, or ``relu(scale x + shift)``, from (1, 1) on, and zeros around it."""
    batch, channels, height, width = x.shape
    padded = x.new_zeros(batch, _TILE * _tiles(height) + 2, _TILE * _tiles(width) + 2, channels)
    inside = padded[:, 1 : height + 1, 1 : width + 1]
    if activation is None:
        inside.copy_(x.permute(0, 2, 3, 1))
    else:
        scale, shift = activation
        torch.addcmul(shift, x.permute(0, 2, 3, 1), scale, out=inside).relu_()
    return padded


def _strips(padded: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Some lines of tiles at a time: which, and their inputs transformed, ``(36, T, C)``."""
    batch, height, width, channels = padded.shape
    of_inputs = _matrix(_INPUTS, padded.dtype)  # (36, 36)
    strip = max(1, _STRIP // (batch * _tiles(width - 2)))
    for first in range(0, _tiles(height - 2), strip):
        lines = padded[:, _TILE * first : _TILE * (first + strip) + 2]
        tiles = lines.unfold(1, _TILE + 2, _TILE).unfold(2, _TILE + 2, _TILE)  # (B, n, m, C, 6, 6)
        inputs = of_inputs @ tiles.permute(4, 5, 0, 1, 2, 3).reshape(_POINTS, -1)
        yield slice(first, first + strip), inputs.view(_POINTS, -1, channels)


def _affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Scale and shift ``(C,)`` that a BN applies in evaluation."""
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("network: expected every BatchNorm2d to have running statistics")
    deviation = (norm.running_var.double() + norm.eps).sqrt()
    gain, offset = (1.0, 0.0) if norm.weight is None else (norm.weight.detach(), norm.bias.detach())
    scale = gain / deviation
    return scale.float(), (offset - norm.running_mean * scale).float()
