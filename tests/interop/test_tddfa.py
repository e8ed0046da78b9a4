"""3DDFA_V2 from the authors' files gives what their code gives: parameters, crops, landmarks, mesh."""

import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch
from torch import Tensor, nn

from facelab.data import read_image
from facelab.face3d import MorphableModel, ParameterStatistics, builtin_face
from facelab.face3d.parameters import decompose, from_y_up, unpack
from facelab.interop import TddfaPredictor, load_tddfa
from tests.interop import authors_tddfa as authors

SIZE = 120
BOXES = {
    "inside": [60.3, 40.7, 200.2, 180.6],
    "over the upper left": [-30.0, -20.0, 100.0, 110.0],
    "over the lower right": [200.5, 100.5, 399.5, 299.5],
    "twofold": [10.0, 0.0, 250.0, 240.0],
    "enlarged": [100.2, 90.1, 150.7, 140.6],
    "not quite square": [20.0, 10.0, 260.0, 260.6],
}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Theirs, as they released it: trained with a branch for landmarks."""
    torch.manual_seed(0)
    return authors.randomised(authors.MobileNet(0.25, "fc_param", landmarks=True))


@pytest.fixture(scope="module")
def statistics() -> ParameterStatistics:
    """A frontal face in the middle of the crop, y up, and small deviations."""
    mean, std = torch.zeros(62), torch.full((62,), 0.3)
    mean[[0, 5, 10]], mean[[3, 7]], std[11] = 6.0, 60.0, 0.0
    return ParameterStatistics(mean, std)


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return builtin_face()


@pytest.fixture(scope="module")
def predictor(network: nn.Module, statistics: ParameterStatistics, model: MorphableModel) -> TddfaPredictor:
    return load_tddfa(network.state_dict(), statistics, model)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Of bytes, red first, (240, 320, 3): smooth, as photographs are, with a seam that shows a shift."""
    waves = torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(0))
    smooth = nn.functional.interpolate(waves, (240, 320), mode="bicubic").clamp(0, 1)[0]
    smooth[:, :, 130] = 0
    return (255 * smooth).byte().permute(1, 2, 0).numpy()


def _image(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1).float() / 255


def _basis(model: MorphableModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As they have it: rows x, y, z of each vertex after one another."""
    parts = (model.mean[None], model.identity[:40], model.expression[:10])
    mean, identity, expression = (part.permute(2, 1, 0).flatten(0, 1).numpy() for part in parts)
    return mean, identity, expression


@pytest.mark.parametrize("make", [lambda: authors.MobileNet(1.0), lambda: authors.MobileNet(0.5), authors.ResNet])
def test_the_network_gives_their_numbers(make: Callable[[], nn.Module], model: MorphableModel) -> None:
    torch.manual_seed(1)
    theirs = authors.randomised(make())
    plain = ParameterStatistics(torch.zeros(62), torch.ones(62))
    ours = load_tddfa(theirs.state_dict(), plain, model).aligner
    crops = torch.rand(2, 3, SIZE, SIZE)
    with torch.inference_mode():
        expected = theirs((255 * crops.flip(1) - 127.5) / 128)
        assert float(expected.std(0).mean()) > 0.01
        scale = float(expected.abs().max())
        torch.testing.assert_close(ours.answers(crops), expected, rtol=0, atol=1e-6 * max(1.0, scale))


@pytest.mark.parametrize("name", BOXES)
def test_crops_are_theirs(name: str, predictor: TddfaPredictor, picture: np.ndarray) -> None:
    """OpenCV weighs pixels by multiples of 1/2048 and makes bytes: half a level and a quarter, no more."""
    theirs = authors.network_input(picture[:, :, ::-1], BOXES[name])
    ours = predictor.aligner.crops(_image(picture)[None], torch.tensor([BOXES[name]]))
    levels = 255 * ours.flip(1) - 127.5
    torch.testing.assert_close(levels, 128 * theirs, rtol=0, atol=0.8)


@pytest.mark.parametrize("name", BOXES)
def test_points_are_theirs(name: str, predictor: TddfaPredictor, picture: np.ndarray) -> None:
    """From the same 62 numbers, to rounding; z to a shift, which theirs makes."""
    box = torch.tensor(BOXES[name])
    raw = predictor.raw_parameters(_image(picture), box)
    expected = authors.reconstructed(raw.double().numpy(), _basis(predictor.model), BOXES[name], SIZE).T
    got = predictor.align(_image(picture), box)
    vertices = got.vertices.numpy() - [0, 0, got.vertices[:, 2].min()]
    assert np.ptp(expected, 0).min() > 20
    np.testing.assert_allclose(vertices, expected, atol=2e-3)
    torch.testing.assert_close(got.landmarks, got.vertices[predictor.model.landmarks], rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", BOXES)
def test_the_whole_way_is_theirs(
    name: str,
    network: nn.Module,
    statistics: ParameterStatistics,
    predictor: TddfaPredictor,
    picture: np.ndarray,
) -> None:
    """Picture to points; bytes in the crop, which theirs has, move them by some hundredths of a pixel."""
    with torch.inference_mode():
        whitened = network(authors.network_input(picture[:, :, ::-1], BOXES[name]))[0]
    raw = (whitened * statistics.std + statistics.mean).double().numpy()
    expected = authors.reconstructed(raw, _basis(predictor.model), BOXES[name], SIZE).T
    vertices = predictor.vertices(_image(picture), torch.tensor(BOXES[name])).numpy()
    np.testing.assert_allclose(vertices[:, :2], expected[:, :2], atol=0.05)


def test_parameters_are_in_our_convention(predictor: TddfaPredictor, picture: np.ndarray) -> None:
    image, box = _image(picture), torch.tensor(BOXES["inside"])
    theirs, ours = predictor.raw_parameters(image, box), predictor.parameters(image, box)
    assert torch.equal(ours[12:], theirs[12:])
    camera = from_y_up(unpack(theirs[None]).camera, SIZE)
    torch.testing.assert_close(unpack(ours[None]).camera, camera)
    torch.testing.assert_close(predictor.align(image, box).angles, decompose(camera).angles[0])


def test_boxes_may_come_together(predictor: TddfaPredictor, picture: np.ndarray) -> None:
    boxes = torch.tensor(list(BOXES.values()))
    together = predictor.align(_image(picture), boxes)
    for number, box in enumerate(boxes):
        for value, alone in zip(together, predictor.align(_image(picture), box), strict=True):
            torch.testing.assert_close(value[number], alone, rtol=1e-4, atol=2e-3)


def test_crop_boxes_are_theirs(predictor: TddfaPredictor) -> None:
    points = np.random.default_rng(0).uniform(0, 200, (5, 2, 68))
    boxes = np.concatenate([points.min(2), points.max(2)], 1)
    of_landmarks = [authors.parse_roi_box_from_landmark(face) for face in points]
    of_detector = [authors.parse_roi_box_from_bbox(list(box)) for box in boxes]
    given = torch.from_numpy(boxes)
    torch.testing.assert_close(predictor.crop_box(given), torch.tensor(of_landmarks, dtype=torch.float64))
    found = predictor.crop_box(given, detector=True)
    torch.testing.assert_close(found, torch.tensor(of_detector, dtype=torch.float64))
    assert torch.equal(predictor.crop_box(given[0], detector=True), found[0])


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("head", ["fc", "fc_param"])
def test_files_of_theirs(
    zipped: bool, head: str, network: nn.Module, statistics: ParameterStatistics, model: MorphableModel, tmp_path: Path
) -> None:
    """Spread over devices, in a mapping, before there were zip files and counts of batches."""
    state = {
        "module." + key.replace("fc_param", head): value
        for key, value in network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    path = tmp_path / "mb025_120x120.pth"
    torch.save({"state_dict": state, "epoch": 3}, path, _use_new_zipfile_serialization=zipped)
    crops = torch.rand(1, 3, SIZE, SIZE)
    with torch.inference_mode():
        expected = load_tddfa(network.state_dict(), statistics, model).aligner.answers(crops)
        assert torch.equal(load_tddfa(path, statistics, model).aligner.answers(crops), expected)


def test_one_message_for_what_is_no_checkpoint(
    network: nn.Module, statistics: ParameterStatistics, model: MorphableModel, tmp_path: Path
) -> None:
    state = network.state_dict()
    path = tmp_path / "mb.pth"
    cases: list[tuple[Any, str]] = [
        (_without(state, "dw5_6.bn_dw.weight"), "MobileNet of 3DDFA_V2, but 'dw5_6.bn_dw.weight' of shape (128,) is m"),
        (_without(state, "fc_param.weight"), "'fc.weight' of shape (62, 256) is missing"),
        (state | {"fc_param.bias": torch.zeros(61)}, "'fc_param.bias' has shape (61,), expected (62,)"),
        (state | {"dw7.conv_dw.weight": torch.zeros(3)}, "which has no 'dw7.conv_dw.weight', here of shape (3,)"),
        (_without(authors.ResNet().state_dict(), "layer2.3.bn2.bias"), "a ResNet-22 of 3DDFA_V2, but 'layer2.3.bn2."),
        ({}, "expected a state dict, got dict without tensors"),
    ]  # fmt: skip
    for content, message in cases:
        torch.save(content, path)
        with pytest.raises(ValueError, match=f"{re.escape(str(path))}: .*{re.escape(message)}"):
            load_tddfa(path, statistics, model)
    with pytest.raises(FileNotFoundError, match="nowhere.pth: no such checkpoint"):
        load_tddfa(tmp_path / "nowhere.pth", statistics, model)


def _without(state: dict[str, Tensor], key: str) -> dict[str, Tensor]:
    return {other: value for other, value in state.items() if other != key}


class _Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("this ran",))


def test_nothing_in_a_file_runs(
    network: nn.Module,
    statistics: ParameterStatistics,
    model: MorphableModel,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch.save({"state_dict": network.state_dict(), "more": _Code()}, tmp_path / "mb.pth")
    (tmp_path / "param_mean_std_62d_120x120.pkl").write_bytes(pickle.dumps({"mean": _Code()}))
    with pytest.raises(ValueError, match=r"mb\.pth: .*'print', which could run code"):
        load_tddfa(tmp_path / "mb.pth", statistics, model)
    with pytest.raises(ValueError, match=r"param_mean_std_62d_120x120\.pkl: .*'builtins\.print', which could run code"):
        load_tddfa(network.state_dict(), tmp_path / "param_mean_std_62d_120x120.pkl", model)
    assert not capsys.readouterr().out


@pytest.mark.parametrize("keys", [("mean", "std"), ("param_mean", "param_std")])
def test_statistics_from_a_file(
    keys: tuple[str, str],
    network: nn.Module,
    statistics: ParameterStatistics,
    predictor: TddfaPredictor,
    picture: np.ndarray,
    tmp_path: Path,
) -> None:
    path = tmp_path / "statistics.pkl"
    content: dict[str, Any] = dict(zip(keys, (statistics.mean.numpy(), statistics.std.numpy()), strict=True))
    path.write_bytes(pickle.dumps(content, protocol=2))
    loaded = load_tddfa(network.state_dict(), path, predictor.model)
    image, box = _image(picture), torch.tensor(BOXES["inside"])
    assert torch.equal(loaded.raw_parameters(image, box), predictor.raw_parameters(image, box))
    cases: list[tuple[Any, str]] = [
        (content | {keys[1]: np.ones(61, np.float32)}, rf"{keys[1]}: expected 62 floating-point numbers, .*\(61,\)"),
        (content | {keys[1]: -np.ones(62, np.float32)}, "statistics std: expected no negative number"),
        ({keys[0]: content[keys[0]]}, "expected a dict with 'mean' and 'std'"),
    ]  # fmt: skip
    for wrong, message in cases:
        path.write_bytes(pickle.dumps(wrong))
        with pytest.raises(ValueError, match=f"{re.escape(str(path))}: {message}"):
            load_tddfa(network.state_dict(), path, predictor.model)


def _write_slices(folder: Path, model: MorphableModel, ending: str) -> None:
    points = model.landmark_model()
    for name, numbers in zip(("u_base", "w_shp_base", "w_exp_base"), _basis(points), strict=True):
        np.savetxt(folder / f"{name}{ending}", numbers, fmt="%.9g")


@pytest.mark.parametrize("ending", ["", ".txt"])
def test_the_landmarks_alone_as_text(
    ending: str,
    network: nn.Module,
    statistics: ParameterStatistics,
    predictor: TddfaPredictor,
    picture: np.ndarray,
    tmp_path: Path,
) -> None:
    _write_slices(tmp_path, predictor.model, ending)
    loaded = load_tddfa(network.state_dict(), statistics, tmp_path)
    image, box = _image(picture), torch.tensor(BOXES["inside"])
    expected = predictor.landmarks(image, box)
    torch.testing.assert_close(loaded.landmarks(image, box), expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(loaded.vertices(image, box), expected, rtol=0, atol=1e-3)
    identity = tmp_path / f"w_shp_base{ending}"
    identity.write_text("1 2 3")
    with pytest.raises(ValueError, match=f"{re.escape(str(identity))}: expected 204 x 40 finite numbers, got 3"):
        load_tddfa(network.state_dict(), statistics, tmp_path)
    identity.write_text("1 two 3")
    with pytest.raises(ValueError, match=f"{re.escape(str(identity))}: expected numbers as text"):
        load_tddfa(network.state_dict(), statistics, tmp_path)
    identity.unlink()
    with pytest.raises(FileNotFoundError, match="expected u_base, w_shp_base, w_exp_base as text; missing: w_shp_base"):
        load_tddfa(network.state_dict(), statistics, tmp_path)


def test_the_face_model_of_theirs(
    network: nn.Module,
    statistics: ParameterStatistics,
    predictor: TddfaPredictor,
    picture: np.ndarray,
    tmp_path: Path,
) -> None:
    """Their folder ``configs``, with a face model of another shape in their layout."""
    model = predictor.model
    mean, identity, expression = _basis(model)
    keypoints = (3 * model.landmarks[:, None] + torch.arange(3)).flatten().numpy()
    content = {"u": mean, "w_shp": identity, "w_exp": expression, "keypoints": keypoints}
    numbers = {"mean": statistics.mean.numpy(), "std": statistics.std.numpy()}
    for name, value in (
        ("bfm_noneck_v3", content),
        ("tri", model.triangles.T.numpy().astype(np.int32)),
        ("param_mean_std_62d_120x120", numbers),
    ):
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps(value))
    image, boxes = _image(picture), torch.tensor([BOXES["inside"], BOXES["enlarged"]])
    for basis in (tmp_path, tmp_path / "bfm_noneck_v3.pkl"):
        loaded = load_tddfa(network.state_dict(), tmp_path / "param_mean_std_62d_120x120.pkl", basis)
        for got, wanted in zip(loaded.align(image, boxes), predictor.align(image, boxes), strict=True):
            torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-4)
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        load_tddfa(network.state_dict(), statistics, tmp_path / "nowhere")


def test_bad_input_is_named(predictor: TddfaPredictor, picture: np.ndarray) -> None:
    image, box = _image(picture), torch.tensor(BOXES["inside"])
    with pytest.raises(ValueError, match=r"image: expected floating-point \(3, H, W\), got torch.uint8"):
        predictor.landmarks(image.byte(), box)
    with pytest.raises(ValueError, match=r"box: expected \(4,\) or \(N, 4\), got \(3,\)"):
        predictor.landmarks(image, box[:3])
    for empty in (box[[2, 1, 0, 3]], box * math.nan, torch.tensor([5.0, 5.0, 5.2, 5.2])):
        with pytest.raises(ValueError, match="box: expected finite x0, y0, x1, y1 of a crop of at least one pixel"):
            predictor.landmarks(image, empty)


@pytest.mark.parametrize("name", ["image00050", "image02545", "image00475"])
def test_real_pictures(
    name: str, network: nn.Module, statistics: ParameterStatistics, predictor: TddfaPredictor, real_data: Path
) -> None:
    """Photographs of AFLW2000-3D, whose faces fill more than the picture after the crop, to points as theirs."""
    image = read_image(real_data / "real" / "AFLW2000" / f"{name}.jpg")
    bytes_ = (255 * image).round().byte().permute(1, 2, 0).numpy()
    label = scipy.io.loadmat(real_data / "real" / "AFLW2000" / f"{name}.mat")["pt3d_68"][:2]
    box = authors.parse_roi_box_from_landmark(label - 1)
    tight = torch.tensor([*(label - 1).min(1), *(label - 1).max(1)])
    torch.testing.assert_close(predictor.crop_box(tight), torch.tensor(box), check_dtype=False, rtol=0, atol=1e-4)
    theirs = authors.network_input(bytes_[:, :, ::-1], box)
    crop = predictor.aligner.crops(image[None], torch.tensor([box])).flip(1)
    torch.testing.assert_close(255 * crop - 127.5, 128 * theirs, rtol=0, atol=0.8)
    with torch.inference_mode():
        raw = (network(theirs)[0] * statistics.std + statistics.mean).double().numpy()
    expected = authors.reconstructed(raw, _basis(predictor.model), box).T
    np.testing.assert_allclose(predictor.vertices(image, torch.tensor(box))[:, :2], expected[:, :2], atol=0.05)
