"""Mark-ups as data."""

import pytest

from facelab.markups import markup


def test_mirror_is_an_involution_that_keeps_groups() -> None:
    scheme = markup("68")
    assert all(scheme.mirror[scheme.mirror[i]] == i for i in range(68))
    sides = {"brow on image left": "brow on image right", "eye on image left": "eye on image right"}
    for left, right in sides.items():
        assert {scheme.mirror[i] for i in scheme.groups[left]} == set(scheme.groups[right])
    for name in ("jaw", "nose bridge", "nose base", "outer lips", "inner lips"):
        assert {scheme.mirror[i] for i in scheme.groups[name]} == set(scheme.groups[name])
    assert [i for i in range(68) if scheme.mirror[i] == i] == [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]


def test_groups_part_the_points_and_edges_follow_curves() -> None:
    scheme = markup("68")
    assert sorted(i for group in scheme.groups.values() for i in group) == list(range(68))
    edges = scheme.edges()
    assert len(edges) == 16 + 4 + 4 + 3 + 4 + 6 + 6 + 12 + 8
    assert (67, 60) in edges and (16, 0) not in edges
    partners = {frozenset((scheme.mirror[a], scheme.mirror[b])) for a, b in edges}
    assert partners == {frozenset(edge) for edge in edges}


def test_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"mark-up '67': expected one of 68"):
        markup("67")
