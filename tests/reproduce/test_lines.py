"""The lines of `make repro`: the count, the seconds, and the time that is left, or nothing where it is unknown."""

import io
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.reproduce.lines import Lines, last_line

NAMES = ["download@a", "train@a", "train@b", "textbook/dvc.yaml:train@c"]


def lines(earlier: Mapping[str, float], since: float = 10.0) -> Lines:
    """Lines of a run that began some seconds ago."""
    made = Lines(earlier, io.StringIO(), began=time.monotonic() - since)
    made.begins(NAMES)
    return made


def printed(made: Lines) -> list[str]:
    assert isinstance(made.out, io.StringIO)
    return made.out.getvalue().splitlines()


def test_a_line_has_the_count_and_the_seconds() -> None:
    made = lines({})
    made.ends("download@a", 10.0)
    assert printed(made) == ["[1/4] download@a … 10 s"], "nobody knows yet how long a training takes"


def test_what_was_up_to_date_has_no_line() -> None:
    made = lines({})
    made.ends("download@a", None)
    made.ends("train@a", 120.0)
    assert printed(made)[0].startswith("[2/4] train@a … 2.0 min")
    assert made.up_to_date() == 1


@pytest.mark.parametrize(
    ("seconds", "since", "left"),
    [(300.0, 300.0, ", about 10 min left"), (300.0, 150.0, ", about 5 min left"), (20.0, 20.0, ", about 40 s left")],
)
def test_stages_to_come_take_as_long_as_others_of_their_kind(seconds: float, since: float, left: str) -> None:
    made = lines({}, since)
    made.ends("download@a", None)
    made.ends("train@a", seconds)
    assert printed(made)[0].endswith(left), "two of the kind are left; in the second case two run at once"


def test_earlier_runs_are_the_better_guess() -> None:
    made = lines({"train@a": 3.0, "train@b": 200.0, "textbook/dvc.yaml:train@c": 400.0})
    made.ends("download@a", 10.0)
    assert printed(made)[0].endswith(", about 10 min left")


def test_the_last_line_that_a_stage_printed(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert last_line(log) == ""
    log.write_text("epoch 1\nepoch 2: loss 0.5\n\n")
    assert last_line(log) == "epoch 2: loss 0.5"


def test_a_terminal_shows_what_runs(tmp_path: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    log = tmp_path / "x.log"
    log.write_text("train@a: epoch 3/8\n")
    made = Lines({}, Terminal())
    made.begins(NAMES)
    made.runs("train@a", log)
    assert made.out.getvalue().endswith("train@a 0 s · train@a: epoch 3/8")  # type: ignore[attr-defined]
    made.ends("train@a", 5.0)
    assert "\r\033[K[1/4] train@a … 5 s" in made.out.getvalue()  # type: ignore[attr-defined]
