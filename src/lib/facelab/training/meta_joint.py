"""Meta-joint optimisation: two losses are tried side by side, and a batch that neither has seen says which did better.

Source: Guo et al. 2020 (3DDFA_V2), section 3.2, algorithm 1. A round takes ``look_ahead`` batches. Two branches start
from the same weights and the same state of the optimiser; on these batches one of them descends by the first loss, the
other by the second. On the next batch both are scored by one measure, and the better branch goes on as both.
"""

import copy
from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from facelab.training.descent import HasLoss, descend, laid_out
from facelab.training.feed import Batch
from facelab.training.order import generator_for
from facelab.training.plan import Training
from facelab.training.precision import Precision
from facelab.training.state import State
from facelab.training.world import World

Parts = Iterable[tuple[int, Batch]]


@runtime_checkable
class TwoLosses(Protocol):
    """What a recipe has besides, if it is to be trained by meta-joint optimisation."""

    @property
    def look_ahead(self) -> int:
        """Batches that both branches learn from in a round; the paper's k, 100 there."""

    @property
    def branches(self) -> tuple[HasLoss, HasLoss]:
        """The two losses."""

    @property
    def by_coin(self) -> bool:
        """Whether a coin chooses in place of the score: a control."""

    def score(self, network: nn.Module, batch: Batch) -> Tensor:
        """What is small when a branch is good, a scalar; the network is in evaluation mode but for its BN."""


class MetaJoint:
    """The steps of a training by two losses; a step is a batch, the last of a round is the one that chooses.

    The state of the run is the first branch, :attr:`State.rival` the second. Between two choices the first branch
    stands for the network, so an evaluation there is one of the first loss; after the last step there is one network.

    Args:
        recipe: of two losses. network: ``state.model`` as it is called. wrap: makes the rival's model callable alike.
        plan: of the training. total: steps of the run; the last one chooses, however short its round.
    Raises:
        ValueError: for a plan with a running mean of the weights, which would average over losers.
    """

    def __init__(
        self,
        recipe: TwoLosses,
        network: nn.Module,
        wrap: Callable[[nn.Module], nn.Module],
        state: State,
        plan: Training,
        precision: Precision,
        world: World,
        total: int,
    ) -> None:
        if plan.ema is not None:
            raise ValueError(f"training: expected no ema with meta-joint optimisation, got {plan.ema}")
        if recipe.look_ahead < 1:
            raise ValueError(f"look_ahead: expected at least 1 batch, got {recipe.look_ahead}")
        if state.rival is None:
            raise ValueError("meta-joint optimisation: expected a state with a rival; see State.start")
        self.recipe, self.state, self.rival = recipe, state, state.rival
        self.plan, self.precision, self.world, self.total = plan, precision, world, total
        self.networks = (network, wrap(self.rival.model).train())

    def __call__(self, parts: Parts) -> Tensor:
        """One step; ``(2,)``: loss and norm of the gradient of the first branch, or the winner's score and 0."""
        step, batches = self.state.step, list(parts)
        if step % (self.recipe.look_ahead + 1) == self.recipe.look_ahead or step == self.total - 1:
            return self._choose(batches)
        first = self._descend(0, self.state, batches)
        self.rival.step = step
        self._descend(1, self.rival, batches)
        return first

    def _descend(self, number: int, state: State, batches: list[tuple[int, Batch]]) -> Tensor:
        return descend(self.recipe.branches[number], self.networks[number], state, self.plan, self.precision, batches)

    def _choose(self, batches: list[tuple[int, Batch]]) -> Tensor:
        scores = self.world.sum(torch.stack([self._score(state.model, batches) for state in (self.state, self.rival)]))
        kept = int(scores[1] < scores[0])
        if self.recipe.by_coin:
            kept = int(torch.randint(2, (), generator=generator_for(self.state.seed, 4, self.state.step)))
        winner, loser = (self.state, self.rival) if kept == 0 else (self.rival, self.state)
        loser.model.load_state_dict(winner.model.state_dict())
        # A deep copy: an optimiser keeps the tensors it is given, and two must not share theirs.
        loser.optimizer.load_state_dict(copy.deepcopy(winner.optimizer.state_dict()))
        loser.scaler.load_state_dict(winner.scaler.state_dict())
        self.state.kept.append(kept)
        return torch.stack([scores[kept] / self.world.size, scores.new_zeros(())])

    def _score(self, model: nn.Module, batches: list[tuple[int, Batch]]) -> Tensor:
        """The mean over this process's parts of the batch.

        BN takes the statistics of the batch, as in training: running ones lag behind weights that have just moved, and
        would speak for the branch that moved less.
        """
        model.eval()
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.train()
        with torch.no_grad(), self.precision.autocast():
            scores = [self.recipe.score(model, laid_out(batch, self.plan)) for _, batch in batches]
        model.train()
        return torch.stack(scores).mean().float()
