"""2D-to-3D-FAN (Bulat and Tzimiropoulos 2017): the picture and its 2D landmarks to 3D landmarks, projected."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from facelab.data import FaceSample, SyntheticFaces, crop_faces, encode_heatmaps
from facelab.data.augmentation import preset
from facelab.markups import markup
from facelab.metrics import nme
from facelab.models import FAN
from facelab.recipes.fan import PROFILES as FAN_PROFILES
from facelab.recipes.fan import FanRecipe, all_stacks, mirrored_back, points_of
from facelab.recipes.guided import with_maps
from facelab.recipes.outlined import LiveOutlined, Outlined, OutlinedFaces, crop_outlined
from facelab.recipes.rendered import Trains
from facelab.training import Optimizer, Steps, Training

_GUIDES = ("own", "another")


@dataclass(frozen=True)
class FanLiftRecipe(Trains):
    """One training run of 2D-to-3D-FAN on synthetic faces, whose jaws are known by both rules.

    Attributes:
        fan: the network, its faces and its training; the labels have the 3D rule.
        guide: whose 2D landmarks the network is given: its ``"own"`` face's, or ``"another"``'s, which tell nothing.
        guide_sigma: deviation of the map of a 2D landmark, in pixels of the crop.
    """

    fan: FanRecipe
    guide: str = "own"
    guide_sigma: float = 1.0

    def __post_init__(self) -> None:
        if self.guide not in _GUIDES:
            raise ValueError(f"guide: expected one of {', '.join(_GUIDES)}, got {self.guide!r}")
        if self.fan.jaw != "3d" or self.fan.label_noise:
            raise ValueError("fan: expected the jaw rule '3d' and no label noise")

    @property
    def training(self) -> Training:
        """Epochs, batch, optimiser, schedule, precision."""
        return self.fan.training

    @property
    def faces(self) -> int:
        """Training faces."""
        return self.fan.faces

    def model(self, seed: int = 0) -> FAN:
        """The untrained network, 3 + 68 channels in."""
        return self.fan.model(seed, in_channels=3 + markup("68").points)

    def training_set(self, seed: int = 0, progress: bool = False) -> SyntheticFaces:
        """Those of 3D-FAN."""
        return self.fan.training_set(seed, progress)

    def test_set(self, progress: bool = False) -> SyntheticFaces:
        """Those of 3D-FAN."""
        return self.fan.test_set(progress)

    def samples(self, seed: int, device: torch.device, progress: bool = False) -> OutlinedFaces | LiveOutlined:
        """The training set; on a CUDA device new faces for each batch, drawn there."""
        self.test_set(progress)  # rendered before the clock of the first epoch starts
        if device.type == "cuda":
            return LiveOutlined(self.fan.live(device))
        return OutlinedFaces(self.training_set(seed, progress))

    def collate(self, samples: list[tuple[FaceSample, Tensor]]) -> Outlined:
        """A batch of samples."""
        return Outlined.stack(samples)

    def prepare(self, samples: Outlined, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Augmented crops with maps ``(B, 3 + L, size, size)``, and target heatmaps."""
        crop, known = crop_outlined(samples, self.fan.size, self.fan.crop, self.fan.augmentation, generator)
        return self._guided(crop.image, known), self.fan.targets(crop.landmarks[..., :2])

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """That of FAN."""
        return self.fan.loss(network, batch)

    def measure(self, network: nn.Module, part: slice) -> dict[str, Tensor]:
        """The NME of a part of the test faces, given their true 2D landmarks."""
        return {"nme": self.evaluate(network, self.test_set())[1][part]}

    def landmarks(
        self,
        model: nn.Module,
        batch: FaceSample,
        known: Tensor,
        decoder: str = "log-parabola",
        mirror: bool = False,
    ) -> Tensor:
        """3D landmarks, projected: ``(B, L, 2)`` in the pixels of the batch's pictures.

        Args:
            model: in evaluation mode. batch: its boxes say where the faces are; its landmarks are not looked at.
            known: ``(B, L, 2)`` 2D landmarks in the same pixels.
            decoder: see :func:`facelab.data.decode_heatmaps`.
            mirror: add the heatmaps of the mirrored input, mirrored back, before decoding.
        """
        crop = crop_faces(batch, self.fan.size, self.fan.crop)
        seen = self._guided(crop.image, crop.affine.apply(known))
        heatmaps = all_stacks(model, seen)[-1]
        if mirror:
            partner = torch.tensor(markup(batch.markup).mirror)
            turned = torch.cat([seen[:, :3], seen[:, 3:][:, partner]], 1).flip(3)
            heatmaps = heatmaps + mirrored_back(all_stacks(model, turned)[-1], batch.markup)
        return points_of(heatmaps, crop, decoder)

    def evaluate(
        self, model: nn.Module, faces: SyntheticFaces, known: Tensor | None = None, **options: object
    ) -> tuple[Tensor, Tensor]:
        """Landmarks ``(N, L, 2)`` of a whole set in its pictures' pixels, and the NME ``(N,)`` over the box.

        Args:
            known: ``(N, L, 2)`` 2D landmarks of all faces; the true ones if not given.
        """
        model.eval()
        predicted, target, start = [], [], 0
        with torch.inference_mode():
            for batch in DataLoader(OutlinedFaces(faces), self.training.batch, collate_fn=Outlined.stack):
                there = batch.landmarks_2d() if known is None else known[start : start + len(batch.outline)]
                start += len(batch.outline)
                predicted.append(self.landmarks(model, batch.faces, there, **options))  # type: ignore[arg-type]
                target.append(batch.faces.landmarks[..., :2])
        points = torch.cat(predicted)
        return points, nme(points, torch.cat(target), "bbox")

    def _guided(self, images: Tensor, known: Tensor) -> Tensor:
        """Crops with one map a 2D landmark: those of the face itself, or of the face before it in the batch."""
        maps = encode_heatmaps(known, self.fan.size, self.fan.size, self.guide_sigma)
        return with_maps(images, maps, "both" if self.guide == "own" else "another")


def _lift(name: str, recipe: FanRecipe) -> FanLiftRecipe:
    wider = preset("fan-2d-to-3d")
    change = replace(recipe.augmentation, rotation=wider.rotation, scale=wider.scale)
    training = recipe.training
    if name == "gpu":  # the paper: a larger first rate, then the rates of the other networks
        training = replace(
            training, optimizer=Optimizer("rmsprop", 1e-3), schedule=Steps((15 / 40, 30 / 40), (0.01, 0.1))
        )
    return FanLiftRecipe(replace(recipe, augmentation=change, training=training))


PROFILES = {name: _lift(name, recipe) for name, recipe in FAN_PROFILES.items()}
