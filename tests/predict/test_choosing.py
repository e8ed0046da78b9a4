"""Which photograph, and which face."""

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from matplotlib import cbook
from torchvision.io import write_png

from facelab import predict


@pytest.fixture(scope="module")
def portrait() -> torch.Tensor:
    return predict.open_photograph()


def test_a_photograph_by_its_path(tmp_path: Path) -> None:
    pixels = (torch.rand(3, 20, 30) * 255).byte()
    write_png(pixels, str(tmp_path / "a.png"))
    assert torch.equal(predict.open_photograph(tmp_path / "a.png"), pixels.float() / 255)
    with pytest.raises(FileNotFoundError, match=r"b\.png: no such picture"):
        predict.open_photograph(tmp_path / "b.png")
    (tmp_path / "c.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"c\.jpg: expected a readable picture"):
        predict.open_photograph(tmp_path / "c.jpg")


def test_a_photograph_by_upload(portrait: torch.Tensor) -> None:
    content = Path(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)).read_bytes()
    upload = predict.Upload()
    with pytest.raises(ValueError, match="nothing uploaded yet"):
        predict.open_photograph("upload", upload)
    with pytest.raises(ValueError, match="nothing uploaded yet"):
        predict.open_photograph("upload")
    upload.widget.value = [
        {
            "name": "p.jpg",
            "type": "image/jpeg",
            "size": len(content),
            "content": memoryview(content),
            "last_modified": datetime.now(),
        }
    ]
    assert torch.equal(predict.open_photograph("upload", upload), portrait)


def test_an_upload_as_colab_has_it(portrait: torch.Tensor) -> None:
    content = Path(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)).read_bytes()
    upload = predict.Upload()
    upload.widget = SimpleNamespace(value={"p.jpg": {"metadata": {}, "content": content}})
    assert torch.equal(predict.open_photograph("upload", upload), portrait)


@pytest.mark.parametrize("box", ["1 2 3 4", "1,2, 3,4", [1, 2, 3, 4], (1.0, 2.0, 3.0, 4.0)])
def test_a_box_by_hand(box: object) -> None:
    assert predict.box_by_hand(box).tolist() == [1, 2, 3, 4]  # type: ignore[arg-type,union-attr]


def test_no_box_and_bad_boxes() -> None:
    assert predict.box_by_hand("") is None and predict.box_by_hand([]) is None
    for wrong in ("1 2 3", "a b c d", [1, 2, 3, 4, 5]):
        with pytest.raises(ValueError, match="box: expected four numbers"):
            predict.box_by_hand(wrong)


def test_a_face_is_chosen_by_number() -> None:
    found = [predict.PredictedFace(torch.zeros(68, 2), torch.full((4,), float(n)), True) for n in range(2)]
    assert predict.choose_face(found).tolist() == [0] * 4
    assert predict.choose_face(found, 1).tolist() == [1] * 4
    with pytest.raises(ValueError, match="face_number: expected 0 to 1"):
        predict.choose_face(found, 2)
    with pytest.raises(ValueError, match="no face found.*box = "):
        predict.choose_face([])


def test_sliders_begin_at_the_box_and_end_where_they_are_moved(portrait: torch.Tensor) -> None:
    sliders = predict.BoxSliders(portrait, torch.tensor([10.2, 20.0, 110.0, 900.0]))
    assert sliders.box().tolist() == [10, 20, 110, portrait.shape[1] - 1]
    sliders.widget.children[0].value = 55
    assert sliders.box().tolist()[0] == 55
    x0, y0, x1, y1 = predict.BoxSliders(portrait).box().tolist()
    assert 0 < x0 < x1 < portrait.shape[2] and 0 < y0 < y1 < portrait.shape[1]


def test_boxes_have_numbers_when_there_are_several(portrait: torch.Tensor) -> None:
    boxes = [torch.tensor([10.0, 10, 60, 60]), torch.tensor([100.0, 100, 200, 220])]
    (ax,) = predict.draw_boxes(portrait, boxes, chosen=1).axes
    assert [text.get_text() for text in ax.texts] == ["0", "1"]
    assert ax.patches[1].get_bbox().extents.tolist() == [100, 100, 200, 220]
    assert ax.patches[0].get_edgecolor() != ax.patches[1].get_edgecolor()
    assert not predict.draw_boxes(portrait, boxes[:1]).axes[0].texts


def test_methods_at_hand_are_those_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(run: object = None, depth: object = None, method: str = "fan") -> str:
        if method in ("fan", "cln"):
            return f"the network of {method}"
        raise FileNotFoundError(f"{method} is elsewhere")

    monkeypatch.setattr(predict.Predictor, "load", staticmethod(load))
    assert predict.methods_at_hand() == {"fan": "the network of fan", "cln": "the network of cln"}
    monkeypatch.setattr("facelab.predict.choosing.METHODS", {"tddfa": ("tddfa", "")})
    with pytest.raises(FileNotFoundError, match="tddfa is elsewhere"):
        predict.methods_at_hand()
