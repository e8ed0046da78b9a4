"""3DDFA_V2 as its public code has it: the names of the layers, and the rules of crop and decoding, in NumPy and OpenCV.

Written after ``models/mobilenet_v1.py``, ``models/resnet.py``, ``utils/functions.py`` and ``utils/tddfa_util.py`` of
the authors, with their names and formulas, and nothing of this package.
"""

from math import sqrt
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[Any]
LAYERS = {
    "dw2_1": (32, 64, 1), "dw2_2": (64, 128, 2), "dw3_1": (128, 128, 1), "dw3_2": (128, 256, 2),
    "dw4_1": (256, 256, 1), "dw4_2": (256, 512, 2), "dw5_1": (512, 512, 1), "dw5_2": (512, 512, 1),
    "dw5_3": (512, 512, 1), "dw5_4": (512, 512, 1), "dw5_5": (512, 512, 1), "dw5_6": (512, 1024, 2),
    "dw6": (1024, 1024, 1),
}  # fmt: skip


class DepthWiseBlock(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(inside, inside, 3, stride, 1, groups=inside, bias=False)
        self.bn_dw = nn.BatchNorm2d(inside)
        self.conv_sep = nn.Conv2d(inside, outside, 1, bias=False)
        self.bn_sep = nn.BatchNorm2d(outside)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn_dw(self.conv_dw(x)).relu()
        return self.bn_sep(self.conv_sep(x)).relu()


class MobileNet(nn.Module):
    def __init__(self, width: float, head: str = "fc", landmarks: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, int(32 * width), 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(int(32 * width))
        for name, (inside, outside, stride) in LAYERS.items():
            self.add_module(name, DepthWiseBlock(int(inside * width), int(outside * width), stride))
        self.head = head
        self.add_module(head, nn.Linear(int(1024 * width), 62))
        if landmarks:
            self.fc_lm = nn.Linear(int(1024 * width), 136)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu()
        for name in LAYERS:
            x = getattr(self, name)(x)
        return getattr(self, self.head)(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


class BasicBlock(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        residual = x if self.downsample is None else self.downsample(x)
        x = self.bn1(self.conv1(x)).relu()
        return (self.bn2(self.conv2(x)) + residual).relu()


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 5, 2, 2, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 64, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.layer1 = self._layer(64, 128, 3)
        self.layer2 = self._layer(128, 256, 4)
        self.layer3 = self._layer(256, 512, 3)
        self.conv_param = nn.Conv2d(512, 62, 1)

    @staticmethod
    def _layer(inside: int, outside: int, count: int) -> nn.Sequential:
        return nn.Sequential(
            BasicBlock(inside, outside, 2), *(BasicBlock(outside, outside, 1) for _ in range(count - 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        x = self.layer3(self.layer2(self.layer1(x)))
        return nn.functional.adaptive_avg_pool2d(self.conv_param(x), 1).flatten(1)


def randomised(network: nn.Module) -> nn.Module:
    """In evaluation mode, with random weights and statistics under which signals keep their size."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.7, 1.3)
            for values in (module.bias, module.running_mean):
                nn.init.normal_(values, std=0.2)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    return network.eval()


def parse_roi_box_from_landmark(points: Array) -> list[float]:
    """Points are (2, L)."""
    low, high = points.min(1), points.max(1)
    center, radius = (low + high) / 2, max(high - low) / 2
    length = sqrt((2 * radius) ** 2 + (2 * radius) ** 2)
    left, top = center[0] - length / 2, center[1] - length / 2
    return [left, top, left + length, top + length]


def parse_roi_box_from_bbox(box: list[float]) -> list[float]:
    left, top, right, bottom = box
    old_size = (right - left + bottom - top) / 2
    center_x = right - (right - left) / 2.0
    center_y = bottom - (bottom - top) / 2.0 + old_size * 0.14
    size = int(old_size * 1.58)
    x, y = center_x - size / 2, center_y - size / 2
    return [x, y, x + size, y + size]


def crop_img(picture: Array, roi_box: list[float]) -> Array:
    """Of a picture (H, W, 3) of bytes."""
    height, width = picture.shape[:2]
    sx, sy, ex, ey = [round(value) for value in roi_box]
    dh, dw = ey - sy, ex - sx
    result = np.zeros((dh, dw, 3), np.uint8)
    sx, dsx = (0, -sx) if sx < 0 else (sx, 0)
    ex, dex = (width, dw - (ex - width)) if ex > width else (ex, dw)
    sy, dsy = (0, -sy) if sy < 0 else (sy, 0)
    ey, dey = (height, dh - (ey - height)) if ey > height else (ey, dh)
    result[dsy:dey, dsx:dex] = picture[sy:ey, sx:ex]
    return result


def network_input(picture: Array, roi_box: list[float], size: int = 120) -> Tensor:
    """Of a picture (H, W, 3) of bytes, blue first."""
    crop = cv2.resize(crop_img(picture, roi_box), (size, size), interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(crop.transpose(2, 0, 1)).float().sub(127.5).div(128)[None]


def reconstructed(parameters: Array, basis: tuple[Array, Array, Array], roi_box: list[float], size: int = 120) -> Array:
    """(3, V) of their 62 numbers; the basis is the mean (3V, 1), identity (3V, 40) and expression (3V, 10)."""
    mean, identity, expression = basis
    matrix = parameters[:12].reshape(3, 4)
    shape = mean + identity @ parameters[12:52, None] + expression @ parameters[52:, None]
    points = matrix[:, :3] @ shape.reshape(3, -1, order="F") + matrix[:, 3:]
    return similar_transform(points, roi_box, size)


def similar_transform(points: Array, roi_box: list[float], size: int) -> Array:
    points = points.copy()
    points[0] -= 1
    points[2] -= 1
    points[1] = size - points[1]
    sx, sy, ex, ey = roi_box
    scale_x, scale_y = (ex - sx) / size, (ey - sy) / size
    points[0] = points[0] * scale_x + sx
    points[1] = points[1] * scale_y + sy
    points[2] *= (scale_x + scale_y) / 2
    points[2] -= points[2].min()
    return points
