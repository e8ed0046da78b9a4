"""The networks of the face-alignment package, without importing the package, which loads face detectors."""

import ast
import importlib.metadata
import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn


def _file(name: str) -> Path:
    try:
        distribution = importlib.metadata.distribution("face-alignment")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("face-alignment is not installed; pip install --no-deps face-alignment==1.5.0")
    return Path(str(distribution.locate_file(f"face_alignment/{name}")))


def _module(name: str) -> ModuleType:
    path = _file(f"models/{name}.py")
    specification = importlib.util.spec_from_file_location(f"authors_{name}", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def fan_class(**functions: Any) -> Any:
    """Their FAN; ``functions`` take the place of those of ``torch.nn.functional`` in it."""
    module = _module("fan")
    module.F = SimpleNamespace(**{**vars(nn.functional), **functions})  # type: ignore[attr-defined]
    return module.FAN


def fan(stacks: int) -> nn.Module:
    return randomised(fan_class()(stacks))


def depth_network(*blocks: int) -> nn.Module:
    """Of their size, or with the given numbers of blocks a stage."""
    return randomised(_module("resnet").ResNetDepth(layers=list(blocks or (3, 8, 36, 3))))


def draw_gaussian() -> Callable[[Any, Any, float], Any]:
    """Their function that draws one landmark; its module imports more than is installed here."""
    tree = ast.parse(_file("utils.py").read_text())
    wanted = [node for node in tree.body if _defines(node) in {"_gaussian", "_GAUSS_KERNEL", "draw_gaussian"}]
    namespace: dict[str, Any] = {"np": np, "math": math}
    exec(compile(ast.Module(wanted, []), "face_alignment/utils.py", "exec"), namespace)
    return namespace["draw_gaussian"]


def _defines(node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return ""


def randomised(network: nn.Module, seed: int = 0) -> nn.Module:
    """In evaluation mode, with batch normalisation of random statistics, gains and offsets."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(module.bias, 0, 0.2, generator=generator)
    return network.eval()
