"""The sentences of the report follow from the numbers, and say no more than the verdict."""

import re
from dataclasses import replace
from typing import Any

import pytest

from pipeline.reporting import wording
from pipeline.reporting.report_data import Result
from pipeline.tasks import TASKS, task_named


def result(name: str, ours: float, theirs: float, low: float | None, high: float | None, **changes: Any) -> Result:
    """An experiment of a character model. low, high: of the difference of its losses, None without an interval."""
    task = task_named(changes.pop("task", "char_lm"))
    losses = {} if low is None else {"loss_difference": {"mean": ours - theirs, "low": low, "high": high}}
    skill = task.primary_metric.skill(ours, theirs)
    against = {"score": ours, "baseline": "bz2", "baseline_score": theirs, "skill": skill, **losses}
    metrics = {"experiment": name, "dataset": f"data-{name}", "cell": "gru", "against_baseline": against, "test": {}}
    return Result({**metrics, **changes}, task)


BETTER = result("good", 1.5, 2.0, -0.6, -0.4)
WORSE = result("bad", 2.08, 0.35, 1.7, 1.76)
UNCLEAR = result("even", 1.99, 2.0, -0.1, 0.08)
UNKNOWN = result("open", 1.0, 2.0, None, None)


def test_words_come_before_numbers_and_the_verdict_last() -> None:
    assert wording.compared(WORSE) == (
        "the baseline bz2 needs 0.350 bits per character; the network bad (GRU) needs 2.080: worse, "
        "+1.730 bits per character [+1.700,\N{NO-BREAK SPACE}+1.760]"
    )
    assert ": better, −0.50 bits" in wording.compared(BETTER)


@pytest.mark.parametrize(("one", "word"), [(UNCLEAR, "no clear difference"), (UNKNOWN, "a difference without an")])
def test_a_better_score_alone_is_not_called_better(one: Result, word: str) -> None:
    assert f": {word}" in wording.compared(one) and "better" not in wording.compared(one)


def test_an_interval_below_zero_is_not_enough_where_the_test_of_the_task_says_no() -> None:
    losses = {"mean": -0.5, "low": -0.6, "high": -0.4}
    against = {"score": 0.5, "baseline": "last", "baseline_score": 1.0, "skill": 0.5, "loss_difference": losses}
    for p, word in ((0.3, "no clear difference"), (0.001, "better")):
        one = result("r", 0.5, 1.0, -0.6, -0.4, task="returns", against_baseline=against, test={"dm_p": p})
        assert f": {word}, " in wording.compared(one)


def test_findings_are_the_counts_the_largest_gain_and_the_largest_loss() -> None:
    more, less = result("more", 1.0, 2.0, -1.1, -0.9), result("less", 2.1, 2.0, 0.05, 0.2)
    tally, gain, loss = wording.findings([BETTER, less, more, WORSE, UNCLEAR, UNKNOWN])
    assert tally.startswith("6 experiments compared") and "2 better, 2 not better, 1 not clearly different" in tally
    assert gain.startswith("By skill, the largest gain is on data-more: the baseline bz2 needs 2.000 bits")
    assert loss.startswith("By skill, the largest loss is on data-bad: ") and ": worse, " in loss


def test_without_a_verdict_there_is_no_gain_and_no_loss() -> None:
    _, gain, loss = wording.findings([UNCLEAR, UNKNOWN])
    assert gain == "No network is better than its baseline by more than chance."
    assert loss == "No network is worse than its baseline by more than chance."
    assert wording.findings([]) == []


def test_a_loss_against_a_baseline_without_errors_is_the_largest() -> None:
    exact = result("exact", 0.1, 0.0, 0.05, 0.15)
    assert exact.against["skill"] is None
    assert "data-exact" in wording.findings([WORSE, exact])[2]


def test_a_task_without_words_of_its_own_has_plain_ones() -> None:
    plain = Result(BETTER.metrics, replace(BETTER.task, said=""))
    assert wording.said(plain, "7") == "scores 7 (bits per character)"


@pytest.mark.parametrize("name", TASKS)
def test_every_task_says_its_score_in_a_sentence(name: str) -> None:
    said = TASKS[name].said
    assert re.fullmatch(r"[a-z]+ [^{}]*\{\}.*", said), "a verb first, and one place for the figure"
    one = result("a", 0.5, 0.6, None, None, task=name)
    assert wording.said(one, "7").startswith(said[: said.index("{}")] + "7")
