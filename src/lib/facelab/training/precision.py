"""In which numbers a network computes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch.amp.grad_scaler import GradScaler

PRECISIONS = ("auto", "fp32", "tf32", "bf16", "fp16")


@dataclass(frozen=True)
class Precision:
    """A choice of numbers, on a device.

    ``"fp32"``: single precision throughout. ``"tf32"``: matrix products and convolutions round their inputs to 10 bits
    on the tensor cores of a CUDA device. ``"bf16"``, ``"fp16"``: autocast; products in 16 bits, sums and weights in 32.
    ``"fp16"`` has few exponents, so its loss is scaled up before the gradients are taken.

    Attributes:
        name: one of ``PRECISIONS`` but ``"auto"``. device: where the network is.
    """

    name: str
    device: torch.device

    @staticmethod
    def of(name: str, device: torch.device) -> "Precision":
        """``"auto"`` is bf16 on a CUDA device that has it, fp16 on an older one, fp32 elsewhere.

        Raises:
            ValueError: on an unknown name, or for fp16 without a CUDA device.
        """
        if name not in PRECISIONS:
            raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}, got {name!r}")
        if name == "auto":
            name = "fp32" if device.type != "cuda" else "bf16" if torch.cuda.is_bf16_supported() else "fp16"
        if name == "fp16" and device.type != "cuda":
            raise ValueError(f"precision: fp16 needs a CUDA device, this is {device}; take fp32 or bf16")
        return Precision(name, device)

    def autocast(self) -> torch.autocast:
        """Around forward passes and losses."""
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.name)
        return torch.autocast(self.device.type, dtype or torch.bfloat16, enabled=dtype is not None)

    def scaler(self) -> GradScaler:
        """Does nothing unless the precision is fp16."""
        return GradScaler(self.device.type, enabled=self.name == "fp16")

    @contextmanager
    def products(self) -> Iterator[None]:
        """TF32 for what stays in single precision, unless that was asked for; put back at the end."""
        before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
        torch.set_float32_matmul_precision("highest" if self.name == "fp32" else "high")
        torch.backends.cudnn.allow_tf32 = self.name != "fp32"
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before[0])
            torch.backends.cudnn.allow_tf32 = before[1]
