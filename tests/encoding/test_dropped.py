"""What readers drop is counted by kind and limited together; the message names places and a way out that works."""

import re
from pathlib import Path

import pytest

from pipeline.encoding.dropped import Dropped
from pipeline.errors import DataError


def dropped(limit: float, **counts: int) -> Dropped:
    losses = Dropped(Path("my.csv"), limit)
    line = 1
    for finding, count in counts.items():
        losses.kind(finding, f"mend {finding}")
        for _ in range(count):
            losses.add(finding, line := line + 1, f"bad {line}")
    return losses


def test_kinds_are_counted_apart_and_limited_together() -> None:
    losses = dropped(0.01, left_out=1, replaced=1, none_of_these=0)
    assert losses.check(200) == {"left_out": 1, "replaced": 1, "none_of_these": 0}
    with pytest.raises(DataError, match=r"my\.csv: 2 of 199 rows .* `max_dropped` \(0\.01 of them\) allows"):
        losses.check(199)


def test_places_and_advice_of_each_kind_are_named() -> None:
    with pytest.raises(DataError) as refusal:
        dropped(0.0, left_out_rows=5, replaced=1).check(10)
    message = str(refusal.value)
    assert "left out rows: 5 (line 2: bad 2; line 3: bad 3; line 4: bad 4; and 2 more): mend left_out_rows" in message
    assert "replaced: 1 (line 7: bad 7): mend replaced" in message


@pytest.mark.parametrize(("lost", "total"), [(1, 6), (7, 100), (13, 100), (29, 300), (1, 7_000), (57, 1_000)])
def test_the_share_that_the_message_proposes_is_enough(lost: int, total: int) -> None:
    with pytest.raises(DataError) as refusal:
        dropped(0.0, lost=lost).check(total)
    proposed = re.search(r"`max_dropped: ([0-9.]+)`", str(refusal.value))
    assert proposed
    assert dropped(float(proposed[1]), lost=lost).check(total) == {"lost": lost}


def test_it_is_never_proposed_to_drop_more_than_a_fifth() -> None:
    with pytest.raises(DataError) as refusal:
        dropped(0.01, lost=21).check(100)
    assert "max_dropped:" not in str(refusal.value)
