"""Fixtures of the tests of recipes."""

from collections.abc import Callable

import pytest
import torch
from torch import nn


@pytest.fixture(scope="session")
def same_weights() -> Callable[[nn.Module, nn.Module], bool]:
    """Whether two networks have the same parameters and buffers, bit for bit."""

    def same(first: nn.Module, second: nn.Module) -> bool:
        mine, theirs = first.state_dict(), second.state_dict()
        return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)

    return same
