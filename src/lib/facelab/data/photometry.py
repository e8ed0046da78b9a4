"""Changes of colour, light and sharpness: small pure functions on batches, each face with its own numbers.

Pictures are ``(B, 3, H, W)`` float32 RGB in [0, 1] and stay so; the numbers are one a face, ``(B,)``, on the device of
the pictures. Landmarks never move.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.io import decode_jpeg, encode_jpeg
from torchvision.transforms.v2 import functional as v2


def adjust_colour(images: Tensor, saturation: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    """Colour strength, then white balance and exposure, then brightness.

    Args:
        images: ``(B, 3, H, W)``.
        saturation: ``(B,)``: 0 is grey, 1 changes nothing, more is more colourful.
        gain: ``(B, 3)`` factor of each channel. offset: ``(B,)`` added at last.
    """
    factor, added = _numbers(images, saturation=saturation, offset=offset)
    if gain.shape != images.shape[:2]:
        raise ValueError(f"gain: expected shape {tuple(images.shape[:2])}, got {tuple(gain.shape)}")
    grey = v2.rgb_to_grayscale(images)
    return torch.lerp(grey, images, factor).mul_(gain[:, :, None, None]).add_(added).clamp_(0, 1)


def adjust_gamma(images: Tensor, gamma: Tensor) -> Tensor:
    """``images ** gamma``, with ``gamma`` ``(B,)`` positive: below 1 is brighter."""
    (exponent,) = _numbers(images, gamma=gamma)
    if bool((gamma <= 0).any()):
        raise ValueError("gamma: expected positive exponents")
    return images.clamp(0, 1) ** exponent


def light_from_one_side(images: Tensor, angle: Tensor, place: Tensor, softness: Tensor, darkness: Tensor) -> Tensor:
    """Darkens the half plane beyond a line, as a lamp at the side or a shadow's edge does.

    Args:
        images: ``(B, 3, H, W)``. angle: ``(B,)`` radians, direction in which it gets darker, clockwise from the right.
        place: ``(B,)`` of the line from the middle of the picture along that direction, in shares of its side.
        softness: ``(B,)`` positive, width of the transition, in shares of the side.
        darkness: ``(B,)`` in [0, 1], share of the light that is taken on the dark side.
    """
    turn, middle, width, taken = _numbers(images, angle=angle, place=place, softness=softness, darkness=darkness)
    height, breadth = images.shape[2:]
    ys = torch.linspace(-0.5, 0.5, height, device=images.device)[:, None]
    xs = torch.linspace(-0.5, 0.5, breadth, device=images.device)
    along = xs * turn.cos() + ys * turn.sin() - middle
    share = (0.5 + along / width.clamp_min(1e-3)).clamp(0, 1)
    return images * (1 - taken * share * share * (3 - 2 * share))


def gaussian_blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur; ``sigma`` ``(B,)`` in pixels, not negative; 0 changes nothing. The border is repeated outward."""
    _numbers(images, sigma=sigma)
    if bool((sigma < 0).any()):
        raise ValueError("sigma: expected standard deviations in pixels, not negative")
    if not len(images):
        return images
    reach = math.ceil(3 * float(sigma.max()))
    offsets = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    width = sigma[:, None].clamp_min(1e-3)
    kernel = torch.exp(-0.5 * (offsets / width) ** 2)
    kernel = kernel * (offsets.abs() <= (3 * width).ceil())  # so that one face does not depend on the others' reach
    kernel = kernel / kernel.sum(1, keepdim=True)
    return _filter(_filter(images, kernel[:, None, :]), kernel[:, :, None])


def motion_blur(images: Tensor, length: Tensor, angle: Tensor) -> Tensor:
    """Averages along a line, as a shaken camera does.

    Args:
        images: ``(B, 3, H, W)``. length: ``(B,)`` of the line in pixels; up to 1 changes nothing.
        angle: ``(B,)`` radians, direction of the line, clockwise from the right.
    """
    _numbers(images, length=length, angle=angle)
    if not len(images):
        return images
    reach = math.ceil(float(length.max()) / 2)
    offsets = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    y, x = offsets[:, None], offsets
    turn, half = angle[:, None, None], length[:, None, None].clamp_min(1) / 2
    along, across = x * turn.cos() + y * turn.sin(), y * turn.cos() - x * turn.sin()
    kernel = (half + 0.5 - along.abs()).clamp(0, 1) * (1 - across.abs()).clamp_min(0)
    return _filter(images, kernel / kernel.sum((1, 2), keepdim=True))


def _filter(images: Tensor, kernels: Tensor) -> Tensor:
    """Correlates each picture with its own kernel ``(B, h, w)`` of odd sides."""
    count, channels, height, width = images.shape
    rows, columns = kernels.shape[1] // 2, kernels.shape[2] // 2
    padded = F.pad(images, (columns, columns, rows, rows), mode="replicate")
    weight = kernels.repeat_interleave(channels, 0)[:, None]
    stacked = padded.reshape(1, count * channels, *padded.shape[2:])
    return F.conv2d(stacked, weight, groups=count * channels).reshape(count, channels, height, width)


def add_noise(images: Tensor, deviation: Tensor, generator: torch.Generator) -> Tensor:
    """Adds normal noise of standard deviation ``deviation`` ``(B,)`` to every channel of every pixel.

    Args:
        generator: on the CPU. On another device the noise is drawn there, from a seed that this one gives: fast, and
            the same again on that device.
    """
    (size,) = _numbers(images, deviation=deviation)
    if images.device.type != "cpu":
        seed = int(torch.randint(2**62, (), generator=generator))
        generator = torch.Generator(images.device).manual_seed(seed)
    noise = torch.randn(images.shape, generator=generator, device=images.device, dtype=images.dtype)
    return noise.mul_(size).add_(images).clamp_(0, 1)


def lower_resolution(images: Tensor, factor: Tensor) -> Tensor:
    """Makes pictures ``factor`` ``(B,)`` times smaller (at least 1) and brings them back to their size."""
    _numbers(images, factor=factor)
    if bool((factor < 1).any()):
        raise ValueError("factor: expected at least 1")
    height, width = images.shape[2:]
    changed = torch.empty_like(images)
    for index, times in enumerate(factor.tolist()):
        small = [max(2, round(height / times)), max(2, round(width / times))]
        shrunk = F.interpolate(images[index : index + 1], small, mode="bilinear", antialias=True)
        changed[index] = F.interpolate(shrunk, (height, width), mode="bilinear")[0]
    return changed


def jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """Through a JPEG file and back; ``quality`` ``(B,)`` whole numbers in [1, 100]. Encoded on the CPU."""
    _numbers(images, quality=quality)
    if bool(((quality < 1) | (quality > 100)).any()):
        raise ValueError("quality: expected whole numbers in [1, 100]")
    pixels = (images * 255).round_().clamp_(0, 255).byte().cpu()
    for picture, number in zip(pixels, quality.tolist(), strict=True):
        picture.copy_(decode_jpeg(encode_jpeg(picture, int(number))))
    return pixels.to(images.device).to(images.dtype) / 255


def _numbers(images: Tensor, **each: Tensor) -> list[Tensor]:
    """The numbers as ``(B, 1, 1, 1)``, once pictures and numbers are found to fit."""
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        raise ValueError(f"images: expected floating-point (B, 3, H, W), got {images.dtype} {tuple(images.shape)}")
    for name, values in each.items():
        if values.shape != images.shape[:1]:
            raise ValueError(
                f"{name}: expected one number a picture, shape ({len(images)},), got {tuple(values.shape)}"
            )
    return [values[:, None, None, None] for values in each.values()]
