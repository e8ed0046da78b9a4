"""Random faces in the units of several morphable models, for the losses of the 62 parameters."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from benchmarks.faces import basel_like
from benchmarks.parameters import random_parameters
from facelab.face3d import MorphableModel, ParameterStatistics, builtin_face


class Faces:
    """A model, and the predicted and true parameters of twelve faces in double precision.

    Attributes:
        model. statistics: of the true ones. target, predicted: ``(12, 62)``; errors are 0.3 standard deviations.
    """

    def __init__(self, model: MorphableModel) -> None:
        self.model = model
        self.target = random_parameters(model, 12)
        self.statistics = ParameterStatistics.fit(self.target)
        self.predicted = self.off(0.3)

    def off(self, by: float) -> Tensor:
        """Predictions with errors of so many standard deviations."""
        shuffled = self.target.roll(1, 0)
        return self.target + by * (shuffled - self.target)


def few_modes() -> MorphableModel:
    """Three and two modes on fewer vertices than there are functions of them."""
    model = basel_like(60)
    names = model.expression_names[:2]
    return replace(
        model, identity=model.identity[:3], identity_std=model.identity_std[:3], expression=model.expression[:2],
        expression_std=model.expression_std[:2], expression_range=model.expression_range[:2], expression_names=names,
    )  # fmt: skip


MODELS: dict[str, Callable[[], MorphableModel]] = {
    "built-in": lambda: builtin_face().subset(("face", "lips", "ears")),
    "Basel-like": lambda: basel_like(500),
    "few modes and vertices": few_modes,
}
