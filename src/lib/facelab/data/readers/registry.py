"""The real data sets by name: what they are, where to ask for them, and what opens them."""

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facelab.data.readers.aflw import AFLW
from facelab.data.readers.aflw2000_3d import AFLW2000
from facelab.data.readers.base import FaceFiles
from facelab.data.readers.cofw import COFW, COFW68
from facelab.data.readers.ls3dw import LS3DW
from facelab.data.readers.menpo import Menpo
from facelab.data.readers.merl_rav import MERLRAV
from facelab.data.readers.threedfaw import ThreeDFAW
from facelab.data.readers.vw300 import VW300
from facelab.data.readers.w300 import W300
from facelab.data.readers.w300_lp import W300LP
from facelab.data.readers.wflw import WFLW

_RESEARCH = "research only; the photographs belong to their owners"


@dataclass(frozen=True)
class DataSet:
    """What is known of a data set.

    Attributes:
        reader: the class that opens it. points: of its mark-up. about: one line. ask: where to get it. licence.
        chapters: of the book that use it. verified: whether the reader was tried on real files.
        counts: official number of faces, by the options that give them.
    """

    reader: type[FaceFiles[Any]]
    points: str
    about: str
    ask: str
    licence: str
    chapters: tuple[str, ...]
    verified: bool
    counts: tuple[tuple[dict[str, Any], int], ...] = ()


_IBUG = "https://ibug.doc.ic.ac.uk/resources"
_3DDFA = "http://www.cbsr.ia.ac.cn/users/xiangyuzhu/projects/3DDFA/main.htm"
DATA_SETS: dict[str, DataSet] = {
    "300W-LP": DataSet(
        W300LP, "68", "faces of 300-W turned in depth, with the parameters of a 3D model", _3DDFA, _RESEARCH,
        ("fan", "tddfa", "cln"), True, (({}, 61_225), ({"flipped": True}, 122_450)),
    ),
    "AFLW2000-3D": DataSet(
        AFLW2000, "68", "2,000 faces of AFLW in all poses with 3D landmarks", _3DDFA, _RESEARCH,
        ("fan", "tddfa", "cln"), True, (({}, 2_000),),
    ),
    "300W": DataSet(
        W300, "68", "photographs of five sets, labelled alike", f"{_IBUG}/300-W/", _RESEARCH, ("fan", "anisotropic"),
        True,
        (({"split": "train"}, 3_148), ({"split": "common"}, 554), ({"split": "challenging"}, 135),
         ({"split": "full"}, 689), ({"split": "private"}, 600)),
    ),
    "300-VW": DataSet(
        VW300, "68", "114 videos, every frame labelled", f"{_IBUG}/300-VW/", _RESEARCH, ("fan",), False,
        (({"split": "A"}, 62_643), ({"split": "B"}, 32_872), ({"split": "C"}, 27_245)),
    ),
    "WFLW": DataSet(
        WFLW, "98", "10,000 faces with six attributes", "https://wywu.github.io/projects/LAB/WFLW.html", _RESEARCH,
        ("anisotropic",), True,
        (({"split": "train"}, 7_500), ({"split": "test"}, 2_500), ({"subset": "pose"}, 326),
         ({"subset": "expression"}, 314), ({"subset": "illumination"}, 698), ({"subset": "make-up"}, 206),
         ({"subset": "occlusion"}, 736), ({"subset": "blur"}, 773)),
    ),
    "COFW": DataSet(
        COFW, "29", "faces behind hands, hair and glasses, with the hidden points marked",
        "https://data.caltech.edu/records/bc0bf-nc666", "CC BY 4.0 as published by Caltech; check the record",
        ("anisotropic",), False, (({"split": "train"}, 1_345), ({"split": "test"}, 507)),
    ),
    "COFW-68": DataSet(
        COFW68, "68", "the test faces of COFW with 68 points", "https://github.com/golnazghiasi/cofw68-benchmark",
        _RESEARCH, ("anisotropic",), True, (({}, 507),),
    ),
    "AFLW": DataSet(
        AFLW, "21 or 19", "25,993 faces from Flickr in all poses, only seen points labelled",
        "https://www.tugraz.at/institute/icg/research/team-bischof/lrs/downloads/aflw", _RESEARCH,
        ("anisotropic", "tddfa", "cln"), True, (({"points": 21}, 25_993), ({"points": 19}, 24_386)),
    ),
    "MERL-RAV": DataSet(
        MERLRAV, "68", "19,000 faces of AFLW with 68 points and three kinds of visibility",
        "https://github.com/abhi1kumar/MERL-RAV_dataset", _RESEARCH, ("anisotropic",), True,
    ),
    "3DFAW": DataSet(
        ThreeDFAW, "66", "3D landmarks from several views, real and rendered faces", "http://mhug.disi.unitn.it/workshop/3dfaw/",
        _RESEARCH, ("two_stage",), False, (({"split": "train"}, 13_672), ({"split": "valid"}, 4_725)),
    ),
    "Menpo": DataSet(
        Menpo, "68", "stills of the Menpo challenge, and any files of the menpo library",
        f"{_IBUG}/2nd-facial-landmark-tracking-competition-menpo-benchmark/", _RESEARCH, ("fan",), True,
    ),
    "LS3D-W": DataSet(
        LS3DW, "68", "230,000 pictures of other sets, labelled again by the 3D rule of the jaw",
        "https://www.adrianbulat.com/face-alignment", _RESEARCH, ("fan",), False,
        (({"split": "300W-Testset-3D"}, 600), ({"split": "Menpo-3D"}, 8_955), ({"split": "AFLW2000-3D"}, 2_000),
         ({"split": "300VW-A"}, 62_643), ({"split": "300VW-B"}, 32_872), ({"split": "300VW-C"}, 27_245),
         ({"split": "balanced"}, 7_200)),
    ),
}  # fmt: skip


def open_dataset(name: str, folder: str | Path, **options: Any) -> FaceFiles[Any]:
    """Opens a data set in a folder: a torch ``Dataset`` of :class:`~facelab.data.FaceSample`.

    Args:
        name: one of :data:`DATA_SETS`. folder: see the ``layout`` of its reader.
        options: of its reader: ``split``, ``version`` ..., and ``strict=False`` to leave bad samples out.
    Raises:
        ValueError: on an unknown name or option. FileNotFoundError: if the folder does not hold the set.
    """
    if name not in DATA_SETS:
        raise ValueError(f"data set {name!r}: expected one of {', '.join(DATA_SETS)}")
    reader = DATA_SETS[name].reader
    allowed = options_of(name)
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise ValueError(f"{name}: option {', '.join(unknown)}: expected some of {', '.join(allowed)}")
    return reader(folder, **options)


def official_count(name: str, **options: Any) -> int | None:
    """How many faces the whole set has with these options (as for :func:`open_dataset`); None where not known."""
    parameters = inspect.signature(DATA_SETS[name].reader.__init__).parameters.values()
    usual = {option.name: option.default for option in parameters if option.name not in ("self", "folder", "strict")}
    asked = usual | {option: value for option, value in options.items() if option != "strict"}
    return next((count for given, count in DATA_SETS[name].counts if usual | given == asked), None)


def options_of(name: str) -> tuple[str, ...]:
    """Names of the options of a data set."""
    parameters = inspect.signature(DATA_SETS[name].reader.__init__).parameters
    return tuple(option for option in parameters if option not in ("self", "folder"))
