"""3DDFA_V2 (Guo et al. 2020): the 62 parameters of a face, trained by parameters, by vertices, or by both."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facelab.data import (
    WARPED,
    Augmentation,
    FaceSample,
    ShortVideo,
    SyntheticClips,
    SyntheticFaces,
    crop_faces,
    synthesize,
)
from facelab.face3d import ParameterStatistics
from facelab.losses import fwpdc, l2, pdc, vdc, wpdc
from facelab.models import TDDFA
from facelab.models.tddfa import Answer
from facelab.recipes.chain import train_in_turn
from facelab.recipes.parametric import MESH, UNIT, UNMIRRORED, ParametricFaces, face_part, mesh_gram, points_of
from facelab.recipes.tddfa_stages import OneLoss, TwoLosses
from facelab.training import Fitted, Optimizer, Training, WarmupCosine, fit

SINGLE = ("pdc", "wpdc", "fwpdc", "vdc")
OPTIMISATIONS = (*SINGLE, "vdc from fwpdc", "vanilla-joint", "meta-joint")
REGULARISATIONS = ("none", "branch", "branch of other faces", "rebuilt")
PICTURES = ("stills", "short videos", "in-plane short videos", "random turns", "rendered short videos")


@dataclass(frozen=True)
class TddfaRecipe(ParametricFaces):
    """One network that regresses the 62 parameters.

    Attributes:
        size: side of the network's input in pixels. trunk: one of ``PARAMETER_TRUNKS``.
        optimisation: one of ``OPTIMISATIONS``. ``"vanilla-joint"`` is a fixed mixture of fWPDC and VDC,
            ``"meta-joint"`` chooses between them round by round.
        beta: weight of fWPDC in the mixture; VDC is brought to its size first.
        tuning: share of the epochs that ``"vdc from fwpdc"`` spends on VDC. tuning_rate: factor on the learning rate
            there.
        look_ahead: batches of a round of meta-joint optimisation. by_coin: a coin chooses, a control.
        regularisation: one of ``REGULARISATIONS``: no landmarks, a landmark branch, one that is given the landmarks
            of other faces (a control), or a landmark loss on the rebuilt face.
        pictures: one of ``PICTURES``: stills; or of every still a short video, turned by a warp, or moved in the
            plane only; or as many frames, each turned for itself; or with every frame rendered, which only synthetic
            faces allow. As many pictures are seen either way.
        frames: of a short video.
        training: of the network that comes out, as on stills.
        faces, test_faces, picture, margin, jaw, yaw: as of all rendered faces. crop: rule of the crops.
        augmentation: of the training pictures, without a mirror.
    Raises:
        ValueError: on an unknown name, a number out of range, or a mirror.
    """

    size: int
    faces: int
    test_faces: int
    picture: int
    training: Training
    trunk: str = "mobilenet"
    optimisation: str = "meta-joint"
    beta: float = 0.5
    tuning: float = 0.5
    tuning_rate: float = 0.5
    look_ahead: int = 100
    by_coin: bool = False
    regularisation: str = "branch"
    pictures: str = "stills"
    frames: int = 8
    crop: str = "3ddfa"
    margin: tuple[float, float] = (1.5, 1.8)
    yaw: tuple[float, float] = (-90.0, 90.0)
    augmentation: Augmentation = UNMIRRORED

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, there in (
            ("optimisation", OPTIMISATIONS),
            ("regularisation", REGULARISATIONS),
            ("pictures", PICTURES),
        ):
            if getattr(self, name) not in there:
                raise ValueError(f"{name}: expected one of {', '.join(there)}, got {getattr(self, name)!r}")
        if not 0 <= self.beta <= 1 or not 0 < self.tuning < 1 or self.tuning_rate <= 0 or self.frames < 1:
            raise ValueError("TddfaRecipe: expected beta from 0 to 1, tuning between, tuning_rate > 0, frames >= 1")

    # ------------------------------------------------------------------------------------------------ the trainings

    @property
    def trainings(self) -> dict[str, Training]:
        """By name, in their order: one without a name, or two."""
        plan = self._shortened(self.training)
        if self.optimisation != "vdc from fwpdc":
            return {"": plan}
        last = max(1, round(self.tuning * plan.epochs))
        rate = self.tuning_rate * plan.optimizer.learning_rate
        tuned = replace(plan, epochs=last, optimizer=replace(plan.optimizer, learning_rate=rate))
        return {"fwpdc": replace(plan, epochs=max(1, plan.epochs - last)), "vdc": tuned}

    def _shortened(self, plan: Training) -> Training:
        """As many pictures a step and in all, where a still gives several."""
        if self.pictures == "stills":
            return plan
        if plan.batch % self.frames or plan.epochs % self.frames:
            raise ValueError(
                f"training: expected batch and epochs in multiples of {self.frames} frames, "
                f"got {plan.batch} and {plan.epochs}"
            )
        shorter = replace(
            plan, epochs=plan.epochs // self.frames, evaluate_every=max(1, plan.evaluate_every // self.frames)
        )
        return shorter if self._rendered else replace(shorter, batch=plan.batch // self.frames)

    def train(
        self,
        seed: int = 0,
        device: torch.device | str = "cpu",
        output: str | Path | None = None,
        progress: bool = False,
        notes: Mapping[str, Any] | None = None,
    ) -> Fitted:
        """Trains from scratch, or goes on: :func:`facelab.training.fit`, or two of them in turn."""
        plans = self.trainings
        start = self.model(seed)
        if len(plans) == 1:
            plan, two = plans[""], self.optimisation == "meta-joint"
            stage: Any = TwoLosses(self, start, plan) if two else OneLoss(self, start, plan, self.optimisation)
            return fit(stage, seed, str(device), output, progress, notes)
        links: dict[str, Any] = {name: lambda net, name=name: OneLoss(self, net, plans[name], name) for name in plans}
        return train_in_turn(self, links, Fitted(start, []), seed, device, output, progress, notes)

    def model(self, seed: int | None = None) -> TDDFA:
        """The untrained network; the same seed gives the same weights.

        Args:
            seed: None for a network whose weights will be loaded: it needs no faces, and has no statistics.
        """
        branch = self.regularisation.startswith("branch")
        network: TDDFA = self.seeded(lambda statistics: TDDFA(self.trunk, statistics, landmarks=branch), seed)
        return network

    def statistics(self, seed: int) -> ParameterStatistics:
        """Of stills, whatever pictures it is trained on; see :meth:`ParametricFaces.statistics`."""
        return ParametricFaces.statistics(replace(self, pictures="stills"), seed)

    # ------------------------------------------------------------------------------------------------- its batches

    @property
    def _rendered(self) -> bool:
        return self.pictures == "rendered short videos"

    def training_set(self, seed: int = 0, progress: bool = False) -> SyntheticFaces:
        """Stills; or the frames of short videos where these are rendered."""
        if not self._rendered:
            return super().training_set(seed, progress)
        clips = SyntheticClips(
            self.faces, self.short_video(), self.picture, seed, jaw=self.jaw, yaw=self.yaw, ranges=self._ranges(),
            camera=None, progress=progress,
        )  # fmt: skip
        return clips.frames

    def samples(self, seed: int, device: torch.device, progress: bool = False) -> Any:
        """As of all recipes on rendered faces; rendered short videos on every device."""
        if not self._rendered:
            return super().samples(seed, device, progress)
        self.test_set(progress)  # rendered before the clock of the first epoch starts
        return self.training_set(seed, progress)

    def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Augmented crops ``(N, 3, size, size)`` and their parameters ``(N, 62)``; N is several times the batch where
        stills become short videos."""
        crop = crop_faces(samples, self.size, self.crop, self.augmentation, generator)
        if self.pictures == "stills":
            return crop.image, crop.parameters
        if self._rendered:
            return self.short_video().degraded(crop.image, generator), crop.parameters
        images, parameters = synthesize(
            crop.image, crop.parameters, face_part(WARPED, crop.image.device), self.short_video(), generator
        )
        return images.flatten(0, 1), parameters.flatten(0, 1)

    def short_video(self) -> ShortVideo:
        """How a still becomes several pictures."""
        return ShortVideo(
            frames=self.frames,
            turned=self.pictures != "in-plane short videos",
            continuous=self.pictures != "random turns",
        )

    # --------------------------------------------------------------------------------------------------- the losses

    def cost(self, predicted: Tensor, target: Tensor, statistics: ParameterStatistics, name: str) -> Tensor:
        """One of ``SINGLE``, of raw parameters ``(B, 62)``, a scalar; VDC in square pixels of a crop of ``UNIT``."""
        if name == "pdc":
            return pdc(predicted, target, statistics)
        if name == "wpdc":
            return wpdc(predicted, target, face_part(MESH, predicted.device), statistics)
        gram = mesh_gram(predicted.device)
        if name == "fwpdc":
            return fwpdc(predicted, target, gram, statistics)
        return (UNIT / self.size) ** 2 * vdc(predicted, target, gram)

    def objective(self, answer: Answer, target: Tensor, statistics: ParameterStatistics, name: str) -> Tensor:
        """The loss of that name or the mixture, and the landmarks' part brought to its size, a scalar.

        A loss is brought to the size of another by their ratio, which counts as a constant. In meta-joint
        optimisation VDC is brought to the size of fWPDC.

        Source: Guo et al. 2020, sections 3.2 and 3.3.
        """
        if name == "vanilla-joint":
            by_parameters = self.cost(answer.parameters, target, statistics, "fwpdc")
            by_vertices = self.cost(answer.parameters, target, statistics, "vdc")
            main = self.beta * by_parameters + (1 - self.beta) * _brought_to(by_parameters, by_vertices)
        else:
            main = self.cost(answer.parameters, target, statistics, name)
            if self.optimisation == "meta-joint" and name == "vdc":
                # The branches hand an optimiser's state to each other, and that knows the size of gradients.
                main = _brought_to(self.cost(answer.parameters, target, statistics, "fwpdc"), main)
        if self.regularisation == "none":
            return main
        found = answer.landmarks
        points = self.half_sides(target)
        if found is None:
            found = self.half_sides(answer.parameters)
        elif self.regularisation == "branch of other faces":
            points = points.roll(1, 0)
        return main + _brought_to(main, l2(found, points))

    def half_sides(self, parameters: Tensor) -> Tensor:
        """Landmarks ``(B, 68, 2)`` of parameters in the crop, in half sides from its centre."""
        points = points_of(parameters)[..., :2]
        return (points + 0.5) * 2 / self.size - 1


def _brought_to(size: Tensor, loss: Tensor) -> Tensor:
    return (size / loss.clamp_min(1e-12)).detach() * loss


# ------------------------------------------------------------------------------------------------ at each profile

_QUICK = TddfaRecipe(
    size=64,
    picture=80,
    trunk="mobilenet x0.5",
    faces=2000,
    test_faces=300,
    look_ahead=10,
    training=Training(7, 16, Optimizer("adamw", 2e-3, weight_decay=0.01), WarmupCosine(0.1), clip=1.0),
)
PROFILES = {
    "smoke": replace(
        _QUICK, size=32, picture=40, faces=64, test_faces=32, trunk="mobilenet x0.25", look_ahead=2,
        training=replace(_QUICK.training, epochs=2),
    ),
    "quick": _QUICK,
    "cpu": replace(_QUICK, faces=4000, test_faces=1000, training=replace(_QUICK.training, epochs=16)),
    # Of the paper: size, batch, optimiser, look-ahead, short videos. Rate, length and schedule are not told there.
    "gpu": TddfaRecipe(
        size=120,
        picture=160,
        faces=60000,
        test_faces=2000,
        pictures="short videos",
        training=Training(
            56, 128, Optimizer("sgd", 0.02, weight_decay=5e-4, momentum=0.9), WarmupCosine(0.02), clip=1.0,
            evaluate_every=8,
        ),
    ),
}  # fmt: skip
