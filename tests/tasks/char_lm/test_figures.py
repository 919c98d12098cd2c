"""The figure of agreement: hit rates by distance, for the networks and the best baseline, on data that know them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from pipeline.encoding.records import Encoded, network_key
from pipeline.reporting import charts
from pipeline.reporting.charts import Line
from pipeline.reporting.elements import Picture
from pipeline.reporting.report_data import ReportData
from pipeline.tasks.char_lm import figures
from pipeline.tasks.char_lm.task import TASK

AGREEMENTS = np.array([[0, 4], [1, 6], [2, 15], [3, 19], [4, 40], [5, 41], [6, 90], [7, 3]], np.int32)
#                       near            10 to 19        40 and more            near
BITS = np.array([0.1, 0.999, 1.0, 0.2, 3.0, 0.9, 1.5, 7.0, 0.0, 0.0])


@dataclass
class Row:
    """The part of an Experiment that the figure reads."""

    name: str
    bits: Any

    def test_predictions(self) -> list[Any]:
        return [self.bits]


def data(agreements: Any, **bits: Any) -> ReportData:
    arrays = {} if agreements is None else {"agreements": agreements}
    baselines = {"3-gram": {"bits_per_char": 2.0}, "5-gram": {"bits_per_char": 1.0}, "bz2": {"bits_per_char": 0.5}}
    rows: Any = [Row(name, b) for name, b in bits.items()]
    rivals = {network_key("3-gram", 0): np.full(10, 9.0), network_key("5-gram", 0): np.full(10, 0.5)}
    return ReportData("x", TASK, Encoded(arrays, {}, {}, {}), rows, baselines, rivals)


def test_a_hit_needs_less_than_a_bit() -> None:
    distances, rates, n = figures.hit_rates(AGREEMENTS, BITS)
    assert n.tolist() == [3, 2, 3] and distances == pytest.approx([13 / 3, 17, 57])
    assert rates == pytest.approx([2 / 3, 1 / 2, 1 / 3])


def test_networks_best_baseline_and_optimum_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Line] = []
    monkeypatch.setattr(charts, "lines", lambda curves, *labels, **_: seen.extend(curves) or b"png")
    (picture,) = figures._agreement(data(AGREEMENTS, simple=BITS, gated=np.zeros(10)))
    assert isinstance(picture, Picture) and picture.name == "agreement"
    assert [(line.name, line.rival, line.truth) for line in seen] == [
        ("simple", False, False),
        ("gated", False, False),
        ("5-gram (baseline)", True, False),
        ("optimum", False, True),
    ]
    assert [np.mean(line.y) for line in seen] == pytest.approx([1 / 2, 1, 1, 1])
    assert "simple 67% and 33%; gated 100% and 100%; 5-gram (baseline) 100% and 100%" in picture.alt
    assert "8 verbs in 3 groups of distance: 3, 2, 3." in picture.caption


@pytest.mark.parametrize("agreements", [None, np.zeros((0, 2), np.int32)])
def test_texts_without_known_agreements_have_no_such_figure(agreements: Any) -> None:
    assert figures._agreement(data(agreements, simple=BITS)) == []


def test_it_is_a_picture() -> None:
    (picture,) = figures._agreement(replace(data(AGREEMENTS, gated=BITS)))
    assert picture.png.startswith(b"\x89PNG")
