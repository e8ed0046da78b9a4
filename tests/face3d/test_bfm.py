"""The Basel Face Model: files made up in the layouts of 3DDFA, 3DDFA_V2 and the 300W-LP code."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch

from facelab.face3d import MorphableModel, read_bfm

V, F, KI, KE = 90, 150, 40, 10
Numbers = dict[str, np.ndarray]


@pytest.fixture
def numbers() -> Numbers:
    rng = np.random.default_rng(0)
    nose = 17  # looks ahead, if its triangle is seen from outside
    mean = 1e4 * rng.normal(size=(V, 3))
    mean[[nose, 18, 19]] = 1e5 * np.array([[0, 0, 1], [1, 0, 1], [0, 1, 1.0]])
    landmarks = rng.permutation(V)[:68]
    landmarks[30] = nose
    triangles = rng.integers(20, V, size=(F, 3))
    triangles[0] = [nose, 18, 19]
    return {
        "mean_shape": mean - 100,
        "mean_expression": np.full((V, 3), 100.0),
        "identity": rng.normal(size=(V, 3, KI)),
        "expression": rng.normal(size=(V, 3, KE)),
        "identity_std": 10 + rng.random(KI),
        "expression_std": 1 + rng.random(KE),
        "landmarks": landmarks,
        "triangles": triangles,
    }


def interleaved(numbers: Numbers) -> np.ndarray:
    """Rows x, y, z of the landmarks."""
    return (3 * numbers["landmarks"][:, None] + np.arange(3)).ravel()


def dump(path: Path, value: object) -> None:
    path.write_bytes(pickle.dumps(value, protocol=4))


def write_v2(folder: Path, numbers: Numbers) -> None:
    content = {
        "u": (numbers["mean_shape"] + numbers["mean_expression"]).reshape(-1, 1).astype(np.float32),
        "w_shp": numbers["identity"].reshape(-1, KI).astype(np.float32),
        "w_exp": numbers["expression"].reshape(-1, KE).astype(np.float32),
        "tri": (numbers["triangles"].T + V).astype(np.int32),  # of a larger mesh
        "keypoints": interleaved(numbers),
    }
    dump(folder / "bfm_noneck_v3.pkl", content)
    dump(folder / "tri.pkl", numbers["triangles"].T.astype(np.int32))
    dump(folder / "param_mean_std_62d_120x120.pkl", {"mean": np.zeros(62), "std": statistics(numbers)})


def statistics(numbers: Numbers) -> np.ndarray:
    return np.concatenate([np.ones(12), numbers["identity_std"], numbers["expression_std"]]).astype(np.float32)


def write_sim(folder: Path, numbers: Numbers) -> None:
    np.save(folder / "w_shp_sim.npy", numbers["identity"].reshape(-1, KI).astype(np.float32))
    np.save(folder / "w_exp_sim.npy", numbers["expression"].reshape(-1, KE).astype(np.float32))
    np.save(folder / "u_shp.npy", numbers["mean_shape"].reshape(-1, 1))
    np.save(folder / "u_exp.npy", numbers["mean_expression"].reshape(-1, 1))
    np.save(folder / "keypoints_sim.npy", interleaved(numbers))
    scipy.io.savemat(folder / "tri.mat", {"tri": numbers["triangles"].T.astype(float) + 1})
    (folder / "param_whitening.pkl").write_bytes(
        pickle.dumps({"param_mean": np.zeros(62), "param_std": statistics(numbers)}, protocol=2)
    )


def write_mat(folder: Path, numbers: Numbers) -> None:
    shape = {
        "mu_shape": numbers["mean_shape"].reshape(-1, 1),
        "w": numbers["identity"].reshape(-1, KI),
        "sigma": numbers["identity_std"][:, None],
        "keypoints": numbers["landmarks"][None].astype(float) + 1,
        "tri": numbers["triangles"].T.astype(float) + 1,
    }
    moves = {
        "mu_exp": numbers["mean_expression"].reshape(-1, 1),
        "w_exp": numbers["expression"].reshape(-1, KE),
        "sigma_exp": numbers["expression_std"][:, None],
    }
    scipy.io.savemat(folder / "Model_Shape.mat", shape)
    scipy.io.savemat(folder / "Model_Exp.mat", moves)


WRITERS: list[Callable[[Path, Numbers], None]] = [write_v2, write_sim, write_mat]


def assert_is(model: MorphableModel, numbers: Numbers) -> None:
    mean = torch.from_numpy(numbers["mean_shape"] + numbers["mean_expression"]).float()
    torch.testing.assert_close(model.mean, mean.T, rtol=1e-5, atol=1e-2)
    for mode in (0, KI - 1):
        torch.testing.assert_close(model.identity[mode].T, torch.from_numpy(numbers["identity"][:, :, mode]).float())
    torch.testing.assert_close(model.expression[3].T, torch.from_numpy(numbers["expression"][:, :, 3]).float())
    torch.testing.assert_close(model.identity_std, torch.from_numpy(numbers["identity_std"]).float())
    torch.testing.assert_close(model.expression_std, torch.from_numpy(numbers["expression_std"]).float())
    assert model.landmarks.tolist() == numbers["landmarks"].tolist()
    assert model.triangles.tolist() == numbers["triangles"].tolist()
    assert model.unit == "um"


@pytest.mark.parametrize("write", WRITERS)
def test_every_layout_gives_the_same_model(
    tmp_path: Path, numbers: Numbers, write: Callable[[Path, Numbers], None]
) -> None:
    write(tmp_path, numbers)
    assert_is(read_bfm(tmp_path), numbers)


def test_the_other_name_of_the_expressions(tmp_path: Path, numbers: Numbers) -> None:
    write_mat(tmp_path, numbers)
    (tmp_path / "Model_Exp.mat").rename(tmp_path / "Model_Expression.mat")
    assert_is(read_bfm(tmp_path), numbers)


def test_triangles_are_turned_outward(tmp_path: Path, numbers: Numbers) -> None:
    inward = numbers | {"triangles": numbers["triangles"][:, ::-1]}
    write_mat(tmp_path, inward)
    assert_is(read_bfm(tmp_path), numbers)


def test_without_statistics_only_the_mean_is_sampled(tmp_path: Path, numbers: Numbers) -> None:
    write_v2(tmp_path, numbers)
    (tmp_path / "param_mean_std_62d_120x120.pkl").unlink()
    with pytest.warns(UserWarning, match="samples of this model are its mean face"):
        model = read_bfm(tmp_path)
    identity, expression = model.sample(3, torch.Generator().manual_seed(0))
    assert not identity.any() and not expression.any()


def test_samples_stay_within_three_deviations(tmp_path: Path, numbers: Numbers) -> None:
    write_mat(tmp_path, numbers)
    model = read_bfm(tmp_path)
    _, expression = model.sample(500, torch.Generator().manual_seed(0), activity=1.0)
    assert bool((expression.abs() <= 3.001 * model.expression_std).all()) and expression.min() < 0


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (write_v2, "bfm_noneck_v3.pkl"),
        (write_v2, "tri.pkl"),
        (write_v2, "param_mean_std_62d_120x120.pkl"),
        (write_sim, "w_shp_sim.npy"),
        (write_sim, "tri.mat"),
        (write_mat, "Model_Shape.mat"),
        (write_mat, "Model_Exp.mat"),
    ],
)
def test_a_truncated_file_is_named(
    tmp_path: Path, numbers: Numbers, write: Callable[[Path, Numbers], None], name: str
) -> None:
    write(tmp_path, numbers)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=f"{name}: expected a whole"):
        read_bfm(tmp_path)


@pytest.mark.parametrize(
    ("write", "name", "message"),
    [
        (write_v2, "tri.pkl", r"tri\.pkl: missing; the triangles inside bfm_noneck_v3\.pkl"),
        (write_sim, "u_exp.npy", r"u_exp\.npy missing"),
        (write_sim, "tri.mat", r"tri\.mat missing"),
        (write_mat, "Model_Exp.mat", r"Model_Exp\.mat: missing"),
        (write_mat, "Model_Shape.mat", r"expected bfm_noneck_v3\.pkl and tri\.pkl, or"),
    ],
)
def test_a_missing_file_is_named(
    tmp_path: Path, numbers: Numbers, write: Callable[[Path, Numbers], None], name: str, message: str
) -> None:
    write(tmp_path, numbers)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=message):
        read_bfm(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        read_bfm(tmp_path / "absent")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("w_shp", np.zeros((3 * V - 3, KI)), r"identity basis: expected shape \(270, K\), got \(267, 40\)"),
        ("w_exp", None, "w_exp: expected an array of finite numbers, found nothing"),
        ("u", np.full((3 * V, 1), np.nan), "u: expected an array of finite numbers"),
        ("keypoints", np.arange(66), "keypoints: expected 68 vertices of 90"),
        ("keypoints", np.arange(68) + 50, "keypoints: expected 68 vertices of 90"),
    ],
)
def test_numbers_that_do_not_match_are_named(
    tmp_path: Path, numbers: Numbers, key: str, value: np.ndarray | None, message: str
) -> None:
    write_v2(tmp_path, numbers)
    path = tmp_path / "bfm_noneck_v3.pkl"
    dump(path, pickle.loads(path.read_bytes()) | {key: value})
    with pytest.raises(ValueError, match=rf"bfm_noneck_v3\.pkl: {message}"):
        read_bfm(tmp_path)


def test_code_in_a_pickle_is_refused(tmp_path: Path, numbers: Numbers) -> None:
    write_v2(tmp_path, numbers)
    (tmp_path / "tri.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ValueError, match=r"tri\.pkl: .*it names 'os\.system'"):
        read_bfm(tmp_path)
