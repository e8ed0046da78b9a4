"""The table of data sets and what opens them."""

import re
from pathlib import Path

import pytest

from facelab.data.readers import DATA_SETS, official_count, open_dataset
from facelab.markups import markup


@pytest.mark.parametrize("name", DATA_SETS)
def test_entries_agree_with_their_readers(name: str) -> None:
    known = DATA_SETS[name]
    assert known.reader.name == name
    assert "**" not in known.reader.sign, "a search without bound for a hint"
    assert all(markup(points).points == int(points) for points in known.points.split(" or "))
    for given, count in known.counts:
        assert official_count(name, **given) == count


def test_official_counts_follow_the_default_options() -> None:
    assert official_count("COFW") == official_count("COFW", split="test") == 507
    assert official_count("WFLW", subset="blur") == official_count("WFLW", subset="blur", strict=False) == 773
    assert official_count("WFLW", split="train", subset="blur") is None
    assert official_count("300W-LP", version="3d") is None


def test_unknown_names_and_options_are_told_with_the_allowed_ones(tmp_path: Path) -> None:
    assert set(DATA_SETS) >= {"300W-LP", "AFLW2000-3D", "LS3D-W"}
    with pytest.raises(ValueError, match=re.escape(f"data set 'WLFW': expected one of {', '.join(DATA_SETS)}") + "$"):
        open_dataset("WLFW", tmp_path)
    with pytest.raises(ValueError, match=r"300W-LP: option speed: expected some of version, flipped, sets, strict"):
        open_dataset("300W-LP", tmp_path, speed=1)
    with pytest.raises(ValueError, match=r"300W-LP sets: expected some of AFW, HELEN, IBUG, LFPW, got AWF"):
        open_dataset("300W-LP", tmp_path, sets="AWF,IBUG")
