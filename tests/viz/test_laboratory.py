"""Switches over a table of numbers."""

import base64
import json
import re

import numpy as np
import pytest

from facelab.viz import Laboratory, Switch

ALT = "Two rules of measuring and two measures, chosen with switches."
SWITCHES = (
    Switch("divided by", ("box", "eyes")),
    Switch("points", ("68", "51", "17"), start=1),
    Switch("measure", ("NME", "AUC")),
)


def numbers() -> np.ndarray:
    value = np.arange(12.0).reshape(2, 3, 2) + 3
    return np.stack([value, value - 1, value + 1, np.full_like(value, 2.5)], -1)


def laboratory(**changes: object) -> Laboratory:
    options = {"noise": "two annotators", "alt": ALT, "best_at_100": ("AUC",)} | changes
    return Laboratory(SWITCHES, options.pop("numbers", numbers()), **options)  # type: ignore[arg-type]


def test_page_holds_every_number_in_the_order_of_the_switches() -> None:
    page = laboratory().html()
    found = re.search(r'<script type="application/json">(.*?)</script>', page)
    assert found is not None
    data = json.loads(found[1])
    stored = np.frombuffer(base64.b64decode(data["numbers"]), "<f4").reshape(2, 3, 2, 4)
    assert np.array_equal(stored, numbers().astype(np.float32))
    assert [switch["name"] for switch in data["switches"]] == ["divided by", "points", "measure"]
    assert data["best_at_100"] == ["AUC"]


def test_page_has_a_select_for_each_switch_set_to_its_start() -> None:
    page = laboratory().html()
    chosen = re.findall(r'<option value="(\d+)" selected>', page)
    assert chosen == ["0", "1", "0"]
    assert page.count("<select") == 3 and page.count('aria-live="polite"') == 1


def test_text_of_people_is_escaped() -> None:
    page = Laboratory((*SWITCHES[:2], Switch("<b>", ("</script>", "&"))), numbers(), "a<b", ALT).html()
    assert "<b>" not in page and '</script>","&' not in page
    assert "\\u003c/script>" in page


def test_still_rows_change_one_rule_and_leave_out_rules_without_effect() -> None:
    rows = laboratory().alone()
    assert [(name, option) for name, option, _ in rows] == [
        ("divided by", "box"), ("divided by", "eyes"), ("points", "68"), ("points", "51"), ("points", "17"),
    ]  # fmt: skip
    assert np.array_equal(rows[1][2], numbers()[1, 1, 0].astype(np.float32))
    same = numbers()
    same[1] = same[0]
    assert {row[0] for row in laboratory(numbers=same).alone()} == {"points"}


def test_a_page_a_picture_and_a_sentence() -> None:
    bundle = laboratory()._repr_mimebundle_()
    assert bundle["text/plain"] == ALT
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert laboratory().html() == laboratory().html()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"numbers": numbers()[:, :2]}, r"expected shape \(2, 3, 2, 4\), got \(2, 2, 2, 4\)"),
        ({"numbers": np.full((2, 3, 2, 4), np.nan)}, "finite value under every rule"),
        ({"alt": "too short"}, "at least 20 characters"),
        ({"best_at_100": ("FR",)}, "FR not among the measures"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        laboratory(**changes)


@pytest.mark.parametrize(("options", "start"), [(("one",), 0), (("one", "two"), 2), (("one", "two"), -1)])
def test_switch_needs_a_choice(options: tuple[str, ...], start: int) -> None:
    with pytest.raises(ValueError, match="two options or more"):
        Switch("rule", options, start)
