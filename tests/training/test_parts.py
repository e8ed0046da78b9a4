"""The small parts of the loop: plans, schedules, orders, files."""

import math
import resource
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from facelab.training import (
    Constant,
    Geometric,
    Optimizer,
    Order,
    Precision,
    Steps,
    Training,
    WarmupCosine,
    World,
    describe,
    generator_for,
    joined,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
)
from facelab.training.feed import Feed
from tests.training.lines import Line

ADAM = Optimizer("adam", 1e-3)


def test_schedules() -> None:
    cosine = WarmupCosine(0.1, 0.01)
    assert [cosine(s) for s in (0.0, 0.1, 0.55, 1.0)] == pytest.approx([0.01, 1.0, 0.505, 0.01])
    assert WarmupCosine(0.0, 0.0)(0.5) == pytest.approx(0.5) and Constant()(0.7) == 1.0
    step = Steps((15 / 40, 30 / 40))
    assert [step(epoch / 40) for epoch in (0, 14, 15, 29, 30, 39)] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    several = Steps((0.5, 0.7, 0.9), (0.4, 0.5, 0.2))
    rates = [several(share) for share in (0.0, 0.49, 0.5, 0.69, 0.7, 0.9, 1.0)]
    assert rates == pytest.approx([1, 1, 0.4, 0.4, 0.2, 0.04, 0.04])
    assert Steps(())(1.0) == 1.0
    down = Geometric(1e-2)
    assert [down(s) for s in (0.0, 0.5, 1.0)] == pytest.approx([1, 0.1, 0.01])


def test_optimisers_are_pytorchs_with_the_given_constants() -> None:
    weights = [nn.Parameter(torch.ones(2))]
    sgd = Optimizer("sgd", 0.1, 1e-4, momentum=0.9, nesterov=True).build(weights)
    assert isinstance(sgd, torch.optim.SGD)
    assert [sgd.defaults[key] for key in ("lr", "weight_decay", "momentum", "nesterov")] == [0.1, 1e-4, 0.9, True]
    rmsprop = Optimizer("rmsprop", 0.1, momentum=0.5).build(weights)
    assert isinstance(rmsprop, torch.optim.RMSprop) and rmsprop.defaults["momentum"] == 0.5
    adamw = Optimizer("adamw", 1e-3, 0.02).build(weights)
    assert isinstance(adamw, torch.optim.AdamW) and adamw.defaults["weight_decay"] == 0.02
    assert type(ADAM.build(weights)) is torch.optim.Adam


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Optimizer("adagrad", 1.0), "optimizer: expected one of sgd, rmsprop, adam, adamw, got 'adagrad'"),
        (lambda: Optimizer("adam", 0.0), "learning_rate: expected a positive number, got 0.0"),
        (lambda: Optimizer("adam", 1.0, momentum=0.9), "momentum: expected none with adam, got 0.9"),
        (lambda: Steps((0.5, 0.7), (0.1,)), "Steps factor: expected one number or 2, got 1"),
        (lambda: Training(0, 16, ADAM), "expected epochs of at least 1, got 0"),
        (lambda: Training(1, 16, ADAM, accumulate=0), "expected accumulate of at least 1, got 0"),
        (lambda: Training(1, 16, ADAM, workers=-1), "expected workers, save_every >= 0, got -1"),
        (lambda: Training(1, 16, ADAM, precision="fp8"), "precision: expected one of auto, .*, got 'fp8'"),
        (lambda: Training(1, 16, ADAM, clip=0.0), "expected a positive clip, got 0.0"),
        (lambda: Training(1, 16, ADAM, ema=1.0), "expected an ema between 0 and 1, got 1.0"),
        (lambda: Order(10, 16, 0), "batch: expected at most the 10 training samples, got 16"),
        (lambda: Order(64, 16, 0, parts=3), "batch: expected a multiple of 3 .*, got 16"),
        (lambda: Precision.of("fp16", torch.device("cpu")), "fp16 needs a CUDA device, this is cpu"),
        (lambda: Precision.of("half", torch.device("cpu")), "precision: expected one of .*, got 'half'"),
    ],
)
def test_settings_out_of_range_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


def test_precision_is_put_back() -> None:
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    with Precision.of("tf32", torch.device("cpu")).products():
        assert torch.get_float32_matmul_precision() == "high"
    assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == before
    automatic = Precision.of("auto", torch.device("cpu"))
    assert automatic.name == "fp32" and not automatic.scaler().is_enabled()
    with Precision.of("bf16", torch.device("cpu")).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.bfloat16


def test_every_sample_once_an_epoch_in_another_order() -> None:
    order = Order(50, 8, seed=4, parts=2)
    assert len(order) == 6
    first, second = ([i for step in range(6 * e, 6 * e + 6) for i in order.step(step)] for e in (0, 1))
    assert len(set(first)) == 48 == len(set(second)) and first != second
    assert sorted(order.part(3, 0) + order.part(3, 1)) == sorted(order.step(3))
    assert Order(50, 8, seed=4).step(9) == order.step(9) != Order(50, 8, seed=5).step(9)


def test_generators_depend_on_all_their_numbers() -> None:
    draws = {torch.rand(1, generator=generator_for(*numbers)).item() for numbers in ((1, 2), (2, 1), (1, 2, 0), (1,))}
    assert len(draws) == 4
    assert torch.rand(1, generator=generator_for(1, 2)) == torch.rand(1, generator=generator_for(1, 2))


def test_a_feed_starts_anywhere_with_the_same_batches() -> None:
    line, world = Line(), World(0, 1, torch.device("cpu"))
    feed = Feed(line.samples(0, world.device, False), line, Order(64, 16, 0, parts=2), world, seed=0)
    whole = [batch for _, parts in feed.since(0, 8) for _, batch in parts]
    late = [batch for _, parts in feed.since(5, 8) for _, batch in parts]
    assert len(whole) == 16 and len(late) == 6
    for mine, theirs in zip(late, whole[10:], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
    assert feed.waited() > 0 and feed.waited() == 0


def test_alone_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    with joined("cpu") as world:
        assert (world.rank, world.size, world.writes) == (0, 1, True)
        assert world.mean_of_samples(torch.tensor([1.0, 2.0, 6.0])) == 3.0
        assert world.wrap(model := nn.Linear(1, 1)) is model


def test_recipes_are_described_all_the_way_down() -> None:
    told = describe(Line(), leave_out=("workers", "save_every"))
    assert told["kind"] == "Line" and told["training"]["optimizer"]["name"] == "adamw"
    assert told["training"]["schedule"] == {"kind": "WarmupCosine", "warmup": 0.1, "floor": 0.01}
    assert "workers" not in told["training"] and describe((1, torch.nn.ReLU)) == [1, "ReLU"]


def test_checkpoints_are_whole_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint({"w": torch.arange(1000.0)}, path)
    assert torch.equal(load_checkpoint(path)["w"], torch.arange(1000.0))
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"text"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="c.pt: expected a whole checkpoint"):
            load_checkpoint(path)
    with pytest.raises(FileNotFoundError, match="gone.pt: no such checkpoint"):
        load_checkpoint(tmp_path / "gone.pt")


class _Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (warnings.warn, ("code ran",))


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    torch.save({"w": _Code()}, tmp_path / "c.pt")
    with pytest.raises(ValueError, match="c.pt: expected a whole checkpoint of tensors and numbers"):
        load_checkpoint(tmp_path / "c.pt")
    assert not [w for w in recwarn if "code ran" in str(w.message)]


_FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from facelab.training import fit
from tests.training.lines import Line

folder = Path(sys.argv[2])
class Full(Line):
    def loss(self, network, batch):
        if list(folder.glob("checkpoint-*5.pt")):
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        return super().loss(network, batch)
try:
    fit(Full(), output=folder)
except OSError as error:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(error)
"""


def test_a_full_disk_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    """The limit on the size of files stands for a full disk: writes fail in the same place."""
    assert resource.RLIMIT_FSIZE
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", _FULL_DISK, root, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    assert "checkpoint-00000006.pt: checkpoint not written" in said
    assert f"the last good checkpoint is {tmp_path}/checkpoint-00000005.pt; the same call goes on from there" in said
    assert load_checkpoint(tmp_path / "checkpoint-00000005.pt")["random"]["step"] == 5
    assert not list(tmp_path.glob("*.partial"))


def test_weights_go_through_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "model.safetensors"
    model, other = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last), nn.Conv2d(3, 4, 3)
    save_weights(model, path, {"recipe": "x"})
    assert load_weights(other, path) == {"recipe": "x"}
    assert torch.equal(model.weight, other.weight)
    for network, message in (
        (nn.Linear(3, 4), r"weight is \(4, 3, 3, 3\), not \(4, 3\)"),
        (nn.Conv2d(3, 4, 3, bias=False), r"bias is \(4,\), not none"),
        (nn.Sequential(nn.Conv2d(3, 4, 3)), r"0.bias is none, not \(4,\)"),
    ):
        with pytest.raises(ValueError, match=f"model.safetensors: expected weights of this network; {message}"):
            load_weights(network, path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"model.safetensors: expected a safetensors file"):
        load_weights(other, path)
    with pytest.raises(FileNotFoundError, match="no such weights"):
        load_weights(other, tmp_path / "none.safetensors")
    assert [p.name for p in path.parent.iterdir()] == ["model.safetensors"] and math.isfinite(float(other.weight.sum()))
