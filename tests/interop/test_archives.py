"""Reading a checkpoint runs nothing that came in it."""

import os
import pickle
import re
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facelab.interop.archives import read_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


class _Mixed(nn.Module):
    """Tensors of several types and layouts, a list of numbers, and one tensor under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("turned", torch.arange(6.0).view(2, 3).T)
        self.register_buffer("part", torch.arange(9, dtype=torch.int16)[3:6])
        self.register_buffer("halved", torch.rand(3).half())
        self.register_buffer("nothing", torch.empty(0, 4))
        self.register_buffer("flag", torch.tensor(True))
        self.sizes = [1, 2, 3]
        self.inner = nn.Linear(2, 2)
        self.again = self.inner

    def forward(self, x: Tensor) -> Tensor:
        return self.again(self.inner(x)) + len(self.sizes)


def test_an_archive_has_the_tensors_that_torch_finds_in_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.jit.script(_Mixed()).save(str(tmp_path / "net.pt"))
    expected, found = torch.jit.load(tmp_path / "net.pt").state_dict(), read_checkpoint(tmp_path / "net.pt")
    assert list(found) == list(expected)
    for key, value in expected.items():
        assert found[key].dtype == value.dtype
        assert torch.equal(found[key], value)


class _Make:
    """As a pickle: a call that makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_code_in_a_file_of_torch_save_is_refused(tmp_path: Path) -> None:
    for value, name in ((_Make(tmp_path / "made"), r"\w+\.mkdir"), (Fraction(1, 2), r"fractions\.Fraction")):
        torch.save({"conv1.weight": torch.zeros(1), "best": value}, tmp_path / "net.pth")
        with pytest.raises(ValueError, match=rf"net\.pth: expected tensors .* names '{name}', which could run code; "):
            read_checkpoint(tmp_path / "net.pth")
    assert not (tmp_path / "made").exists()


def test_code_in_an_archive_is_refused(tmp_path: Path) -> None:
    path = _archive(tmp_path, pickle.dumps(_Make(tmp_path / "made"), 2))
    with pytest.raises(ValueError, match=r"net\.zip: expected the TorchScript archive .*mkdir', which could run code"):
        read_checkpoint(path)
    assert not (tmp_path / "made").exists()


NEW = b"c__torch__\nNet\n)\x81"  # makes a module; a dict and b then give it attributes
MODULE = b"\x80\x02" + NEW
TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage%sX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ%stR"
)
FLOATS = b"ctorch\nFloatStorage\n"
A, B = b"X\x01\x00\x00\x00a", b"X\x01\x00\x00\x00b"
OPTIONS = b"\x88ccollections\nOrderedDict\n)R"


def _doubled(levels: int) -> bytes:
    """A module that holds one module twice, which holds one twice ..."""
    module = NEW + b"}b"
    for level in range(levels):
        number = bytes([level])
        module = NEW + b"}(" + A + module + b"q" + number + B + b"h" + number + b"ub"
    return module


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02].", "its root is no module but of type list"),
        (MODULE + b"]b.", "a module has a state of type list"),
        (MODULE + b"}" + A + b"cposix\nsystem\nsb.", "it names 'posix.system', which could run code"),
        (MODULE + b"r\xff\xff\xff\x7f}b.", "it remembers things under the number 2147483647"),
        (MODULE + b"}" + A + b"K\x01Qsb.", "it refers to 1"),
        (
            MODULE + b"}" + A + TENSOR % (FLOATS, b"K\x00K\x05\x85K\x01\x85" + OPTIONS) + b"sb.",
            "a tensor of shape (5,) from fewer numbers",
        ),
        (
            MODULE + b"}" + A + TENSOR % (FLOATS, b"K\x01K\x04\x85K\x01\x85" + OPTIONS) + b"sb.",
            "expected a whole TorchScript archive: RuntimeError",
        ),
        (MODULE + b"q\x00}" + A + b"h\x00sb.", "expected a whole TorchScript archive: RecursionError"),
        (b"\x80\x02" + _doubled(17) + b".", "more than 100000 entries"),
        (MODULE, "expected a whole TorchScript archive"),
    ],
)
def test_bad_archives_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read_checkpoint(_archive(tmp_path, content))


def test_a_good_archive_by_hand(tmp_path: Path) -> None:
    """The same bytes as above, with numbers that fit: so those fail for what they name only."""
    tensor = TENSOR % (FLOATS, b"K\x01K\x03\x85K\x01\x85" + OPTIONS)
    found = read_checkpoint(_archive(tmp_path, MODULE + b"}" + A + tensor + b"sb."))
    assert found["a"].tolist() == [1, 2, 3]


def _archive(folder: Path, content: bytes) -> Path:
    path = folder / "net.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", content)
        archive.writestr("net/data/0", torch.arange(4.0).numpy().tobytes())
        archive.writestr("net/constants.pkl", b"")
    return path


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.pth: no such checkpoint"):
        read_checkpoint(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("weights")
    with pytest.raises(ValueError, match=r"text\.pth: expected a whole file of torch\.save"):
        read_checkpoint(tmp_path / "text.pth")
    torch.save({"a": torch.zeros(1000)}, tmp_path / "cut.pth")
    content = (tmp_path / "cut.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"cut\.pth: expected a whole file of torch\.save"):
        read_checkpoint(tmp_path / "cut.pth")
