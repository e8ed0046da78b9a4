"""FAN (Bulat and Tzimiropoulos 2017): what to train, on what, and for how long.

2D-FAN and 3D-FAN are one network; they differ in the rule of the jaw that their labels follow.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from facelab.data import (
    Augmentation,
    Crop,
    FaceSample,
    ShakenLabels,
    crop_faces,
    crop_window,
    decode_heatmaps,
    encode_heatmaps,
    landmark_box,
    to_heatmap_pixels,
    to_picture_pixels,
)
from facelab.data.augmentation import preset
from facelab.data.photometry import lower_resolution
from facelab.geometry import Affine
from facelab.losses import stacked_heatmap_l2
from facelab.markups import markup
from facelab.models import FAN, for_training
from facelab.recipes.rendered import RenderedFaces, Trains, landmarks_over
from facelab.training import Optimizer, Steps, Training, WarmupCosine

_STRIDE = 4  # picture pixels per heatmap pixel, set by FAN's stem


def _for_rendered(change: Augmentation) -> Augmentation:
    """An augmentation of the paper's, and what rendered faces need besides to resemble photographs."""
    return replace(change, shift=0.05, grey=0.2, gamma=0.6, blur=0.3, noise=0.05)


_AUGMENTATION = _for_rendered(preset("fan"))


@dataclass(frozen=True)
class FanRecipe(RenderedFaces, Trains):
    """One training run of FAN on synthetic faces.

    Attributes:
        size: side of the network's input in pixels; its heatmaps have a quarter of that.
        stacks, width, depth, pool: of the network. sigma: of the targets, in heatmap pixels.
        block: of the hourglasses. supervision: ``"all"`` stacks are compared with the target, or the ``"last"``.
        crop: rule of :func:`facelab.data.crop_window`.
        jaw: rule of the labels: ``"3d"`` for 3D-FAN, ``"2d"`` for 2D-FAN.
        faces: training faces. test_faces: unseen ones. picture: side of the rendered pictures in pixels.
        margin: side of the picture over that of the box of the face, a range.
        yaw: of the training faces, degrees; test faces have all poses.
        label_noise: deviation of the noise in the training labels, a share of the box.
        training: epochs, batch, optimiser, schedule, precision.
        augmentation: of the training pictures.
        passing_share: what the trained network's mean NME must not exceed, as a share of the mean shape's.
    """

    markup = "68"  # not a field: all these networks have one

    size: int
    stacks: int
    width: int
    depth: int
    faces: int
    test_faces: int
    picture: int
    training: Training
    pool: str = "avg"
    sigma: float = 1.0
    block: str = "hpm"
    supervision: str = "all"
    crop: str = "tight"
    jaw: str = "3d"
    margin: tuple[float, float] = (1.5, 1.8)
    yaw: tuple[float, float] = (-90.0, 90.0)
    label_noise: float = 0.0
    augmentation: Augmentation = _AUGMENTATION
    passing_share: float = 1 / 3

    def __post_init__(self) -> None:
        if self.supervision not in ("all", "last"):
            raise ValueError(f"supervision: expected 'all' or 'last', got {self.supervision!r}")

    def model(self, seed: int = 0, in_channels: int = 3) -> FAN:
        """The untrained network; the same seed gives the same weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = FAN(
                stacks=self.stacks,
                in_channels=in_channels,
                block=self.block,
                pool=self.pool,
                width=self.width,
                depth=self.depth,
            )
        for_training(network)
        return network

    def samples(self, seed: int, device: torch.device, progress: bool = False) -> Any:
        """As of all recipes on rendered faces; with noise in the labels the training set on every device."""
        if not self.label_noise:
            return super().samples(seed, device, progress)
        self.test_set(progress)  # rendered before the clock of the first epoch starts
        return ShakenLabels(self.training_set(seed, progress), self.label_noise, seed)

    def prepare(self, samples: FaceSample, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Augmented crops ``(B, 3, size, size)`` and their target heatmaps, on the device of the samples."""
        crop = crop_faces(samples, self.size, self.crop, self.augmentation, generator)
        return crop.image, self.targets(crop.landmarks[..., :2])

    def targets(self, points: Tensor) -> Tensor:
        """Heatmaps ``(B, L, size / 4, size / 4)`` of landmarks ``(B, L, 2)`` in pixels of the crop."""
        side = self.size // _STRIDE
        return encode_heatmaps(to_heatmap_pixels(points, _STRIDE), side, side, self.sigma)

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """The squared error of the heatmaps of every stack, or of the last."""
        images, target = batch
        stacks = network(images)
        return stacked_heatmap_l2(stacks if self.supervision == "all" else stacks[-1:], target)

    def heatmaps(self, model: nn.Module, batch: FaceSample) -> tuple[Tensor, Crop]:
        """The last stack's heatmaps ``(B, L, size / 4, size / 4)`` of a batch, and the crops they were made from."""
        crop = crop_faces(batch, self.size, self.crop)
        return all_stacks(model, crop.image)[-1].float().cpu(), crop

    def heatmaps_by_stack(self, model: nn.Module, batch: FaceSample, reduction: float = 1.0) -> tuple[Tensor, Crop]:
        """The heatmaps of every stack ``(stacks, B, L, size / 4, size / 4)`` of a batch, and the crops behind them.

        Args:
            reduction: factor by which the crop is made smaller, and then larger again, before the network sees it.
        """
        crop = crop_faces(batch, self.size, self.crop)
        images = crop.image
        if reduction != 1:
            images = lower_resolution(images, torch.full((len(images),), float(reduction)))
        return torch.stack(all_stacks(model, images)).float().cpu(), crop

    def landmarks(
        self, model: nn.Module, batch: FaceSample, decoder: str = "log-parabola", mirror: bool = False
    ) -> Tensor:
        """Predicted landmarks ``(B, L, 2)`` in the pixels of the batch's pictures.

        Args:
            model: in evaluation mode. batch: its boxes say where the faces are; its landmarks are not looked at.
            decoder: see :func:`facelab.data.decode_heatmaps`.
            mirror: add the heatmaps of the mirrored picture, mirrored back, before decoding (FAN's test-time rule).
        """
        return self.landmarks_with_peaks(model, batch, decoder, mirror)[0]

    def landmarks_with_peaks(
        self, model: nn.Module, batch: FaceSample, decoder: str = "log-parabola", mirror: bool = False
    ) -> tuple[Tensor, Tensor]:
        """As :meth:`landmarks`, and the height ``(B, L)`` of each peak in the heatmaps of the picture itself."""
        crop = crop_faces(batch, self.size, self.crop)
        heatmaps = all_stacks(model, crop.image)[-1]
        peaks = heatmaps.amax((2, 3)).float().cpu()
        if mirror:
            heatmaps = heatmaps + mirrored_back(all_stacks(model, crop.image.flip(3))[-1], batch.markup)
        return points_of(heatmaps, crop, decoder), peaks

    def evaluate(self, model: nn.Module, faces: Dataset[FaceSample], **options: Any) -> tuple[Tensor, Tensor]:
        """Landmarks and errors of a whole set, see :func:`facelab.recipes.rendered.landmarks_over`."""
        model.eval()
        return landmarks_over(faces, lambda batch: self.landmarks(model, batch, **options), self.training.batch)


def mean_shape(recipe: FanRecipe, training: Tensor, boxes: Tensor) -> Tensor:
    """What a method would say that looks at nothing but the box: the mean training shape, put into each box.

    Args:
        training: ``(M, L, 2 or 3)`` landmarks of the training faces. boxes: ``(N, 4)`` of the test faces.
    Returns:
        ``(N, L, 2)`` landmarks in the pixels of the test pictures.
    """
    windows = Affine.crop(*crop_window(landmark_box(training), recipe.crop), recipe.size)
    mean = windows.apply(training[..., :2]).mean(0, keepdim=True)
    placed = Affine.crop(*crop_window(boxes, recipe.crop), recipe.size).inverse()
    return placed.apply(mean.expand(len(boxes), -1, -1))


def all_stacks(model: nn.Module, images: Tensor) -> list[Tensor]:
    """The heatmaps of every stack, on the network's device; pictures go there in the layout that is fastest."""
    device = next(model.parameters()).device
    return model(images.to(device).contiguous(memory_format=torch.channels_last))


def mirrored_back(heatmaps: Tensor, scheme: str) -> Tensor:
    """Heatmaps ``(..., L, h, w)`` of mirrored pictures as those of the pictures: turned over and renumbered."""
    partner = torch.tensor(markup(scheme).mirror, device=heatmaps.device)
    return heatmaps.flip(-1).index_select(-3, partner)


def points_of(heatmaps: Tensor, crop: Crop, decoder: str) -> Tensor:
    """Landmarks ``(B, L, 2)`` in the pixels of the pictures, from heatmaps ``(B, L, h, w)`` of their crops."""
    points = to_picture_pixels(decode_heatmaps(heatmaps, decoder), _STRIDE).cpu()
    return crop.affine.inverse().apply(points)


def _adamw(epochs: int) -> Training:
    """What teaches small networks quickly: AdamW with a warm-up and half a cosine."""
    return Training(epochs, 16, Optimizer("adamw", 2e-3, weight_decay=0.01), WarmupCosine())


def _in_small_batches(epochs: int) -> Training:
    """What teaches them in fewer epochs: twice as many steps, and larger ones."""
    return Training(epochs, 8, Optimizer("adamw", 5e-3, weight_decay=0.01), WarmupCosine(0.2))


PROFILES = {
    "smoke": FanRecipe(
        size=32,
        picture=40,
        width=16,
        depth=1,
        stacks=2,
        faces=64,
        test_faces=32,
        training=_adamw(epochs=2),
        passing_share=math.inf,  # two epochs on 64 faces teach nothing
    ),
    "quick": FanRecipe(
        size=64,
        picture=80,
        width=64,
        depth=2,
        stacks=1,
        sigma=1.5,
        faces=3000,
        test_faces=500,
        training=_in_small_batches(epochs=6),
    ),
    "cpu": FanRecipe(
        size=96,
        picture=120,
        width=64,
        depth=3,
        stacks=2,
        sigma=1.5,
        faces=8000,
        test_faces=1000,
        training=_adamw(epochs=8),
    ),
    # The paper's own numbers, on synthetic faces instead of 300W-LP.
    "gpu": FanRecipe(
        size=256,
        picture=320,
        width=256,
        depth=4,
        stacks=4,
        faces=60000,
        test_faces=2000,
        training=Training(40, 10, Optimizer("rmsprop", 1e-4), Steps((15 / 40, 30 / 40))),
        pool="max",
        crop="fan",
        margin=(2.05, 2.35),
    ),
}
PROFILES_2D = {name: replace(recipe, jaw="2d") for name, recipe in PROFILES.items()}


def _released(recipe: FanRecipe) -> FanRecipe:
    """The recipe of the authors' training code, which is not that of the paper, for a network of some size.

    RMSprop from 2.5e-4; 100 epochs there, steps at 50, 70 and 90. Targets of 1.75 pixels on maps of 64.
    """
    epochs = 100 if recipe is PROFILES["gpu"] else recipe.training.epochs
    steps = Steps((0.5, 0.7, 0.9), (0.4, 0.5, 0.2))
    training = replace(recipe.training, epochs=epochs, optimizer=Optimizer("rmsprop", 2.5e-4), schedule=steps)
    change = replace(_for_rendered(preset("fan-released")), shift=0.0)
    return replace(recipe, sigma=1.75 * recipe.sigma, training=training, augmentation=change)


PROFILES_RELEASED = {name: _released(recipe) for name, recipe in PROFILES.items()}


def _for_photographs(recipe: FanRecipe, epochs: int, **changes: Any) -> FanRecipe:
    """Ours: rendered faces changed as strongly as photographs differ, cut closely, in small batches."""
    training = _in_small_batches(epochs)
    return replace(recipe, crop="snug", training=training, augmentation=preset("strong"), **changes)


PROFILES_PHOTOGRAPHS = {
    "smoke": _for_photographs(PROFILES["smoke"], epochs=2),
    "quick": _for_photographs(PROFILES["quick"], epochs=6),
    "cpu": _for_photographs(PROFILES["quick"], epochs=7, stacks=2, faces=8000, test_faces=1000),
    "gpu": replace(PROFILES["gpu"], augmentation=preset("strong")),
}
