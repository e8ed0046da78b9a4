"""Which photograph and which face: by name, by upload, by the detector, or by hand."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib import cbook
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from facelab.data import read_image
from facelab.predict.predictor import METHODS, PredictedFace, Predictor
from facelab.viz import ACCENT, NEUTRAL, show_image, style

UPLOAD, SLIDERS = "upload", "sliders"
BY_HAND = "give one by hand: box = [x0, y0, x1, y1] in pixels, from the brows to the chin, or box = 'sliders'"
_PORTRAIT = "grace_hopper.jpg"  # a work of the US Navy, in the public domain; comes with Matplotlib
_SIZE = (4.6, 4.6)  # inches of a photograph with boxes, at most


class Upload:
    """A button that takes a photograph from the reader's disk; needs a running kernel and ``ipywidgets``.

    Attributes:
        widget: to be displayed.
    """

    def __init__(self) -> None:
        self.widget = _widgets().FileUpload(accept="image/*", multiple=False, description="Photograph")

    def image(self) -> Tensor | None:
        """``(3, H, W)`` RGB in [0, 1]; None as long as nothing is there.

        Raises:
            ValueError: on a file that is no picture.
        """
        value: Any = self.widget.value
        # ipywidgets 8 has a tuple of files; 7, which Colab has, a dictionary by name.
        files = [{"name": name, **file} for name, file in value.items()] if isinstance(value, dict) else list(value)
        if not files:
            return None
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / Path(str(files[-1]["name"])).name
            path.write_bytes(bytes(files[-1]["content"]))
            return read_image(path)


class BoxSliders:
    """Four sliders that move a box over a photograph; needs a running kernel and ``ipywidgets``.

    Args:
        image: ``(3, H, W)``. box: ``(4,)`` pixels, where the sliders begin; the middle of the photograph if None.
    Attributes:
        widget: to be displayed.
    """

    def __init__(self, image: Tensor, box: Tensor | None = None) -> None:
        widgets = _widgets()
        height, width = image.shape[1:]
        start = torch.tensor([width, height, width, height]) * torch.tensor([0.3, 0.3, 0.7, 0.7])
        values = (start if box is None else box).round().int().tolist()
        names, longest = ("x0", "y0", "x1", "y1"), (width, height, width, height)
        self._image = image
        self._sliders = {
            name: widgets.IntSlider(min(max(value, 0), end - 1), 0, end - 1, description=name, continuous_update=False)
            for name, value, end in zip(names, values, longest, strict=True)
        }
        self.widget = widgets.VBox([*self._sliders.values(), widgets.interactive_output(self._show, self._sliders)])

    def box(self) -> Tensor:
        """``(4,)`` x0, y0, x1, y1 in pixels, as the sliders stand."""
        return torch.tensor([float(slider.value) for slider in self._sliders.values()])

    def _show(self, **values: int) -> None:
        draw_boxes(self._image, [torch.tensor([float(value) for value in values.values()])])
        plt.show()


def _widgets() -> Any:
    """The module ``ipywidgets``, which only those need who press buttons."""
    try:
        import ipywidgets
    except ImportError as error:
        raise ImportError("buttons and sliders need ipywidgets: pip install ipywidgets, then restart") from error
    return ipywidgets


def open_photograph(photograph: str | Path = "", upload: Upload | None = None) -> Tensor:
    """A photograph ``(3, H, W)`` RGB in [0, 1].

    Args:
        photograph: path of a file; ``""`` for the portrait of Grace Hopper that comes with Matplotlib; ``"upload"`` for
            what ``upload`` holds. upload: None as long as nobody asked for it.
    Raises:
        FileNotFoundError: if there is no such file. ValueError: if it is no picture, or nothing was uploaded.
    """
    if photograph == UPLOAD:
        image = None if upload is None else upload.image()
        if image is None:
            raise ValueError("photograph: nothing uploaded yet; press the button above, then run from this cell on")
        return image
    return read_image(photograph or cbook.get_sample_data(_PORTRAIT, asfileobj=False))


def box_by_hand(box: str | Sequence[float]) -> Tensor | None:
    """``(4,)`` x0, y0, x1, y1 from four numbers, or a text of four; None from nothing.

    Raises:
        ValueError: on anything else.
    """
    parts = box.replace(",", " ").split() if isinstance(box, str) else list(box)
    if not parts:
        return None
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != 4:
        raise ValueError(f"box: expected four numbers x0, y0, x1, y1, or 'sliders', got {box!r}")
    return torch.tensor(numbers)


def choose_face(found: Sequence[PredictedFace], number: int = 0) -> Tensor:
    """The box ``(4,)`` of one of the faces that the detector found.

    Raises:
        ValueError: if there is none, or not so many.
    """
    if not found:
        raise ValueError(
            "no face found: the detector knows nearly frontal faces alone, larger than a fortieth of the photograph; "
            + BY_HAND
        )
    if not 0 <= number < len(found):
        raise ValueError(f"face_number: expected 0 to {len(found) - 1}, the largest face first, got {number}")
    return found[number].box


def methods_at_hand() -> dict[str, Predictor]:
    """The networks of those methods that are there: all five come with the book and with the package.

    Raises:
        FileNotFoundError: if there is none.
    """
    there, missing = {}, []
    for name in METHODS:
        try:
            there[name] = Predictor.load(method=name)
        except FileNotFoundError as error:
            missing.append(str(error))
    if not there:
        raise FileNotFoundError(missing[0])
    return there


def same_box(methods: dict[str, Predictor], image: Tensor, box: Tensor) -> dict[str, PredictedFace]:
    """The face in a box, by each method.

    Raises:
        ValueError: on a box that is empty or outside the photograph.
    """
    return {name: predictor.faces(image, [box])[0] for name, predictor in methods.items()}


def draw_boxes(image: Tensor, boxes: Sequence[Tensor], chosen: int = 0) -> Figure:
    """The photograph with boxes; several of them have numbers, and the chosen one stands out."""
    height, width = image.shape[1:]
    scale = min(_SIZE[0] / width, _SIZE[1] / height)
    with style():
        figure, ax = plt.subplots(figsize=(scale * width, scale * height), layout="constrained")
        show_image(ax, image)
        for number, box in enumerate(boxes):
            _draw_box(ax, box, ACCENT if number == chosen else NEUTRAL, str(number) if len(boxes) > 1 else "")
    return figure


def _draw_box(ax: Axes, box: Tensor, colour: str, label: str) -> None:
    x0, y0, x1, y1 = box.tolist()
    ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour, linewidth=2))
    if label:
        ax.text(x0, y0, label, color="white", backgroundcolor=colour, va="bottom")
