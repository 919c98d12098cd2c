"""Verdicts of the gate: better, not better, inconclusive."""

from typing import get_args

import numpy as np
import pytest

from pipeline.evaluation.metric import Metric
from pipeline.evaluation.task import Comparison
from pipeline.promotion.gate import MIN_UNITS, Evidence, compare, floor, shared
from pipeline.tasks import TASKS

RNG = np.random.default_rng(7)


def evidence(losses: object, rows: object = None) -> Evidence:
    values = np.asarray(losses, np.float64)
    return Evidence(np.arange(len(values), dtype=np.uint64) if rows is None else np.asarray(rows, np.uint64), values)


def right_or_wrong(n: int, only_ours: int, only_theirs: int) -> tuple[Evidence, Evidence]:
    """Make losses of n examples: the two models differ on some, and both get the others wrong."""
    ours, theirs = np.ones(n), np.ones(n)
    ours[:only_ours] = 0
    theirs[only_ours : only_ours + only_theirs] = 0
    return evidence(ours), evidence(theirs)


@pytest.mark.parametrize(
    ("only_ours", "only_theirs", "outcome"),
    [(40, 10, "better"), (10, 40, "not better"), (25, 20, "inconclusive"), (6, 0, "better"), (5, 0, "inconclusive")],
)
def test_classes_are_judged_by_mcnemar(only_ours: int, only_theirs: int, outcome: str) -> None:
    verdict = compare("McNemar", *right_or_wrong(500, only_ours, only_theirs), block=1)
    assert verdict.outcome == outcome
    assert verdict.figures["method"] == "McNemar"
    assert verdict.figures["only_candidate_right"] == only_ours
    assert verdict.figures["only_champion_right"] == only_theirs
    assert (verdict.figures["p"] < 0.05) == (outcome != "inconclusive")
    assert "McNemar on 500 shared test rows" in verdict.reason


def test_five_to_nothing_is_a_sixteenth_of_chance() -> None:
    """2 × (1/2)^5, by hand: why five wins alone do not promote."""
    assert compare("McNemar", *right_or_wrong(100, 5, 0), block=1).figures["p"] == pytest.approx(1 / 16)


def test_tags_are_judged_by_the_sentence() -> None:
    """The 200 better words are in two sentences; as independent words they would be a clear gain."""
    rows = np.repeat(np.arange(60), 100)
    ours, theirs = np.zeros(6000), np.zeros(6000)
    theirs[:200] = 1.0
    found = compare("bootstrap of sentences", evidence(ours, rows), evidence(theirs, rows), block=25)
    assert found.figures["rows"]["shared"] == 6000
    assert found.outcome == "inconclusive"
    theirs[::50] = 1.0
    assert compare("bootstrap of sentences", evidence(ours, rows), evidence(theirs, rows), block=25).outcome == "better"


def test_sentences_count_by_their_words() -> None:
    """With one error less in each sentence of 10 words, the loss per word is lower by a tenth, without any spread."""
    rows = np.repeat(np.arange(50), 10)
    theirs = (np.arange(500) % 10 == 0).astype(float)
    found = compare("bootstrap of sentences", evidence(np.zeros(500), rows), evidence(theirs, rows), block=25).figures
    assert found["difference"] == found["low"] == found["high"] == pytest.approx(-0.1)


def test_text_is_judged_by_blocks_of_characters() -> None:
    bits = RNG.normal(2.0, 1.0, 20_000)
    better = compare("bootstrap of blocks", evidence(bits - 0.05), evidence(bits), block=200)
    assert better.outcome == "better" and better.figures["high"] < 0
    assert better.figures["candidate_loss"] == pytest.approx(better.figures["champion_loss"] - 0.05)
    assert compare("bootstrap of blocks", evidence(bits), evidence(bits - 0.05), block=200).outcome == "not better"
    trend = 0.4 * np.repeat(RNG.normal(size=100), 200)  # what depends on its neighbours counts once
    assert (
        compare("bootstrap of blocks", evidence(bits + trend - 0.01), evidence(bits), block=200).outcome
        == "inconclusive"
    )


def test_text_of_too_few_blocks_decides_nothing() -> None:
    few = 200 * MIN_UNITS - 1
    verdict = compare("bootstrap of blocks", evidence(np.ones(few)), evidence(np.full(few, 9.0)), block=200)
    assert verdict.outcome == "inconclusive" and f"fewer than {MIN_UNITS} units" in verdict.reason


def test_forecasts_are_judged_by_diebold_mariano() -> None:
    method: Comparison = "Diebold–Mariano"
    errors = np.abs(RNG.normal(size=3000))
    noisy = errors + RNG.normal(0, 0.3, 3000)
    assert compare(method, evidence(errors - 0.1), evidence(noisy), block=20, horizon=4).outcome == "better"
    worse = compare(method, evidence(noisy), evidence(errors - 0.1), block=20, horizon=4)
    assert worse.outcome == "not better"
    assert worse.figures["p"] < 0.05 and worse.figures["statistic"] < 0
    assert compare(method, evidence(noisy), evidence(errors), block=20, horizon=4).outcome == "inconclusive"


def test_equal_answers_win_nothing() -> None:
    losses = RNG.integers(0, 2, 300)
    verdict = compare("McNemar", evidence(losses), evidence(losses), block=1)
    assert verdict.outcome == "not better" and "exactly as well" in verdict.reason


def test_two_states_of_the_data_meet_on_their_shared_rows() -> None:
    """The data grew, so the candidate's test is later; on the rows that are not shared, either would win clearly."""
    ours = evidence(np.r_[np.zeros(100), np.ones(300)], np.r_[np.arange(500, 600), np.arange(100, 400)])
    theirs = evidence(np.r_[np.ones(100), np.zeros(300)], np.r_[np.arange(1000, 1100), np.arange(100, 400)])
    a, b, weights = shared(ours, theirs)
    assert a.tolist() == [1.0] * 300 and b.tolist() == [0.0] * 300 and weights.sum() == 300
    verdict = compare("McNemar", ours, theirs, block=1)
    assert verdict.outcome == "not better"
    assert verdict.figures["rows"] == {"candidate": 400, "champion": 400, "shared": 300}


def test_shared_rows_stay_in_the_order_of_the_text() -> None:
    ours = evidence([0.1, 0.2, 0.3, 0.4], [9, 3, 7, 1])
    theirs = evidence([4.0, 2.0, 3.0], [1, 3, 7])
    a, b, _ = shared(ours, theirs)
    assert a.tolist() == [0.2, 0.3, 0.4] and b.tolist() == [2.0, 3.0, 4.0]


def test_models_that_share_no_test_row_are_not_compared() -> None:
    ours, theirs = evidence(np.zeros(400)), evidence(np.ones(400), np.arange(1000, 1400))
    verdict = compare("McNemar", ours, theirs, block=1)
    assert verdict.outcome == "inconclusive"
    assert "0 of the candidate’s 400" in verdict.reason


ACCURACY, BITS = TASKS["sentiment"].primary_metric, TASKS["char_lm"].primary_metric


def metrics(metric: Metric, score: float, baseline: float) -> dict[str, object]:
    against = {"metric": metric.name, "score": score, "baseline": "naive", "baseline_score": baseline}
    return {"against_baseline": against}


@pytest.mark.parametrize(
    ("metric", "score", "baseline", "passes"),
    [
        (ACCURACY, 0.90, 0.89, True),
        (ACCURACY, 0.90, 0.91, True),
        (ACCURACY, 0.88, 0.91, False),
        (BITS, 2.00, 1.97, True),
        (BITS, 2.02, 1.97, False),
        (TASKS["forecasting"].primary_metric, float("nan"), 1.0, False),
        (TASKS["returns"].primary_metric, 1.019, 1.0, True),
        (TASKS["returns"].primary_metric, 1.021, 1.0, False),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_the_floor_is_the_baseline_less_a_margin(metric: Metric, score: float, baseline: float, passes: bool) -> None:
    verdict = floor(metric, metrics(metric, score, baseline), evidence([0.5]), margin=0.02)
    assert (verdict is None) == passes
    if verdict is not None:
        assert verdict.outcome == "not better"
        assert "not a finite number" in verdict.reason if np.isnan(score) else "below the floor" in verdict.reason


def test_one_loss_that_is_not_finite_fails() -> None:
    verdict = floor(ACCURACY, metrics(ACCURACY, 0.9, 0.5), evidence([0.0, np.inf]), margin=0.02)
    assert verdict is not None and "not a finite number" in verdict.reason


def test_every_task_that_can_be_promoted_has_a_method_and_ids_of_its_rows() -> None:
    promoted = {name: task.comparison for name, task in TASKS.items() if task.comparison is not None}
    assert promoted == {
        "char_lm": "bootstrap of blocks",
        "forecasting": "Diebold–Mariano",
        "image_rows": "McNemar",
        "pos_tagging": "bootstrap of sentences",
        "returns": "Diebold–Mariano",
        "sentiment": "McNemar",
    }
    assert promoted.keys() == {name for name, task in TASKS.items() if task.row_ids is not None}
    assert set(promoted.values()) == set(get_args(Comparison)), "every method of the gate is tested above"
