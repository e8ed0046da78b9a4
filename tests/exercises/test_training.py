"""Exercises of the chapter on training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from facelab.exercises import EXERCISES, verdict
from facelab.exercises.training import TRAINING
from facelab.training import generator_for
from tests.exercises.knowing import assert_knows

START, STRETCH = torch.tensor([3.0, -2.0]), torch.tensor([1.0, 100.0])
GIVEN: dict[str, tuple[Any, ...]] = {
    "training-rmsprop-exercise": (START, STRETCH),
    "training-order-exercise": (1000, 400),
    "training-bf16-exercise": (),
    "training-clip-exercise": (torch.tensor([30.0, -2.0, 0.5]),),
}


def test_every_exercise_is_tried() -> None:
    assert set(GIVEN) == set(TRAINING)


@pytest.mark.parametrize("label", GIVEN)
def test_exercise_knows(label: str) -> None:
    assert_knows(label, *GIVEN[label])


def descended(optimizer: type[torch.optim.Optimizer]) -> Tensor:
    here = START.clone().requires_grad_()
    steps = optimizer([here], lr=0.1)
    for _ in range(5):
        steps.zero_grad()
        (STRETCH * here.square()).sum().backward()
        steps.step()
    return here


def test_the_right_descent_is_that_of_torch() -> None:
    assert verdict("training-rmsprop-exercise", descended(torch.optim.RMSprop), START, STRETCH) == "Right."
    told = verdict("training-rmsprop-exercise", descended(torch.optim.SGD), START, STRETCH)
    assert told == "Not right: without the division that is plain gradient descent."


@pytest.mark.parametrize("seed", range(5))
def test_drawn_orders_have_about_as_many_samples_twice(seed: int) -> None:
    count, done = GIVEN["training-order-exercise"]
    before = torch.randperm(count, generator=generator_for(seed, 0))[:done]
    after = torch.randperm(count, generator=generator_for(seed, 1))[done:]
    twice = len(set(before.tolist()) & set(after.tolist()))
    assert verdict("training-order-exercise", twice, count, done) == "Right."


def test_sums_stop_where_a_step_is_less_than_half_the_spacing() -> None:
    bf16, fp16, fp32 = EXERCISES["training-bf16-exercise"].right()
    assert bf16 == 1.0 and torch.finfo(torch.bfloat16).eps / 2 > 0.001
    assert fp16 == 1 + 1000 * torch.finfo(torch.float16).eps
    assert fp32 == pytest.approx(2.0, abs=1e-4)


def test_a_limit_of_the_norm_keeps_the_direction() -> None:
    (gradient,) = GIVEN["training-clip-exercise"]
    parameter = torch.zeros(3, requires_grad=True)
    parameter.grad = gradient.clone()
    torch.nn.utils.clip_grad_norm_(parameter, 1.0)
    by_norm = torch.rad2deg(torch.nn.functional.cosine_similarity(gradient, parameter.grad, dim=0).clamp(max=1).acos())
    parameter.grad = gradient.clone()
    torch.nn.utils.clip_grad_value_(parameter, 1.0)
    by_entry = torch.rad2deg(torch.nn.functional.cosine_similarity(gradient, parameter.grad, dim=0).acos())
    assert verdict("training-clip-exercise", (by_norm, by_entry), gradient) == "Right."
    assert by_entry > 40
