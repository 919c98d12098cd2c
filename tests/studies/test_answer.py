"""What a study says, on arms whose scores and losses are made up."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pipeline import artifacts
from pipeline.errors import DataError
from pipeline.evaluation.metric import Metric
from pipeline.studies.answer import Arm, answer, ranks

BITS = Metric("bits_per_char").shown("bits per character")
ACCURACY = Metric("accuracy", higher_is_better=True).shown("accuracy", unit="%")
SEEDS = (1, 2, 3)


def arm(name: str, losses: Any, *, seeds: Sequence[int] = (), metric: Metric = BITS, **changes: Any) -> Arm:
    """An arm whose scores follow from its losses, [seeds, examples]."""
    losses = np.asarray(losses, np.float64)
    count, means = len(losses), losses.mean(axis=1)
    values: dict[str, Any] = {
        "settings": {"cell": name},
        "seeds": tuple(seeds) or tuple(range(1, count + 1)),
        "scores": 1 - means if metric.higher_is_better else means,
        "losses": losses,
        "parameters": 100,
        "seconds": np.full(count, 2.0),
        "memory": np.full(count, 300.0),
    }
    return Arm(name, **(values | changes))


def noisy(rng: np.random.Generator, mean: float, seeds: int = 3, examples: int = 200) -> Any:
    return mean + 0.05 * rng.standard_normal((seeds, 1)) + 0.5 * rng.standard_normal((seeds, examples))


@pytest.fixture
def three() -> list[Arm]:
    rng = np.random.default_rng(1)
    return [arm(name, noisy(rng, mean, 5)) for name, mean in (("rnn", 5.0), ("gru", 2.0), ("lstm", 3.0))]


def names(found: Mapping[str, Any]) -> list[str]:
    return [row["name"] for row in found["arms"]]


def arm_of(found: Mapping[str, Any], name: str) -> Any:
    (row,) = (row for row in found["arms"] if row["name"] == name)
    return row


def pair_of(found: Mapping[str, Any], a: str, b: str) -> Any:
    (row,) = (row for row in found["pairs"] if (row["a"], row["b"]) == (a, b))
    return row


def test_the_arms_are_in_order_with_their_figures(three: list[Arm]) -> None:
    found = answer(BITS, three, 1)
    assert names(found) == ["gru", "lstm", "rnn"]
    assert found["best"] == ["gru"]
    assert found["test"] == {"examples": 200, "block": 1, "units": 200}
    for given in three:
        row = arm_of(found, given.name)
        low, high = stats.t.interval(0.95, 4, given.scores.mean(), stats.sem(given.scores))
        assert row["scores"] == given.scores.tolist() and row["seeds"] == [1, 2, 3, 4, 5]
        assert (row["mean"], row["sd"]) == (pytest.approx(given.scores.mean()), pytest.approx(given.scores.std(ddof=1)))
        assert (row["low"], row["high"]) == (pytest.approx(low), pytest.approx(high))
        assert (row["parameters"], row["seconds"], row["memory"]) == (100, 2, 300)


def test_the_pairs_are_all_there_with_the_difference_of_the_scores(three: list[Arm]) -> None:
    found = answer(BITS, three, 1)
    assert [(row["a"], row["b"]) for row in found["pairs"]] == [("gru", "lstm"), ("gru", "rnn"), ("lstm", "rnn")]
    means = {given.name: given.scores.mean() for given in three}
    for row in found["pairs"]:
        assert row["difference"] == pytest.approx(means[row["a"]] - means[row["b"]])
        assert row["low"] < row["difference"] < row["high"] < 0
        assert row["p"] <= row["p_holm"] <= 3 * row["p"] and row["different"] is True
        assert (row["seeds"], row["basis"]) == (5, "seeds and examples")


def test_accuracy_is_better_when_it_is_higher() -> None:
    rng = np.random.default_rng(2)
    wrong = {name: rng.random((4, 500)) < share for name, share in (("gru", 0.3), ("lstm", 0.1))}
    found = answer(ACCURACY, [arm(name, losses, metric=ACCURACY) for name, losses in wrong.items()], 1)
    assert names(found) == ["lstm", "gru"] and found["best"] == ["lstm"]
    row = pair_of(found, "lstm", "gru")
    assert row["difference"] == pytest.approx(wrong["gru"].mean() - wrong["lstm"].mean())
    assert 0 < row["low"] < row["difference"] < row["high"]


def test_two_parallel_arms_differ_however_much_their_seeds_and_examples_vary() -> None:
    losses = np.random.default_rng(3).normal(5, 3, (3, 40))
    small = 0.01 * np.random.default_rng(4).standard_normal((3, 40))
    found = answer(BITS, [arm("gru", losses), arm("lstm", losses + 1 + small)], 1)
    assert pair_of(found, "gru", "lstm")["different"] is True, "the test is paired by seeds and by examples"
    assert arm_of(found, "gru")["high"] > arm_of(found, "lstm")["low"], "although their intervals overlap"


def test_seeds_are_paired_by_their_number_and_those_of_one_arm_alone_are_left_out() -> None:
    losses = np.random.default_rng(3).normal(5, 3, (4, 40))
    small = 0.01 * np.random.default_rng(4).standard_normal((3, 40))
    swapped = losses[[2, 0, 1]] + 1 + small
    found = answer(BITS, [arm("gru", losses), arm("lstm", swapped, seeds=(3, 1, 2))], 1)
    row = pair_of(found, "gru", "lstm")
    assert (row["seeds"], row["different"]) == (3, True)
    assert row["difference"] == pytest.approx(-1 - small.mean())


def test_dependent_examples_are_averaged_first() -> None:
    rng = np.random.default_rng(5)
    repeated = np.repeat(rng.normal(0.2, 1, (1, 12)), 50, axis=1) + np.array([[0.0], [0.01], [-0.01]])
    arms = [arm("gru", np.zeros((3, 600))), arm("lstm", repeated)]
    alone, blocks = answer(BITS, arms, 1), answer(BITS, arms, 50)
    assert blocks["test"] == {"examples": 600, "block": 50, "units": 12}
    widths = [found["pairs"][0]["high"] - found["pairs"][0]["low"] for found in (alone, blocks)]
    assert widths[1] > 1.5 * widths[0]
    plain = stats.ttest_1samp(repeated[0, ::50], 0).confidence_interval()
    assert widths[1] > 1.2 * (plain.high - plain.low), "blocks are dependent at their borders"
    assert alone["pairs"][0]["difference"] == pytest.approx(blocks["pairs"][0]["difference"])


def test_rounding_is_no_difference() -> None:
    losses = np.random.default_rng(5).normal(5, 1, (3, 40))
    found = answer(BITS, [arm("gru", losses), arm("lstm", losses + 0.1 - 0.1)], 1)
    assert found["pairs"][0]["difference"] == 0 and found["pairs"][0]["p"] == 1
    assert "no difference" in found["verdict"]


def test_the_pareto_front_marks_arms_that_are_not_worse_at_a_higher_cost(three: list[Arm]) -> None:
    rnn, gru, lstm = three
    arms = [
        replace(rnn, parameters=50, seconds=np.full(5, 9.0)),
        replace(gru, parameters=200, seconds=np.full(5, 8.0)),
        replace(lstm, parameters=200, seconds=np.full(5, 7.0), memory=np.full(5, np.nan)),
    ]
    front = {row["name"]: row["pareto"] for row in answer(BITS, arms, 1)["arms"]}
    assert {name: row["parameters"] for name, row in front.items()} == {"rnn": True, "gru": True, "lstm": False}
    assert {name: row["seconds"] for name, row in front.items()} == {"rnn": False, "gru": True, "lstm": True}
    assert {name: row["memory"] for name, row in front.items()} == {"rnn": None, "gru": None, "lstm": None}


def one(rng: np.random.Generator) -> list[Arm]:
    return [arm("gru", noisy(rng, 2.0))]


def one_training(rng: np.random.Generator) -> list[Arm]:
    return [arm("gru", noisy(rng, 2.0, seeds=1))]


def one_seed(rng: np.random.Generator) -> list[Arm]:
    return [arm(name, noisy(rng, mean, seeds=1)) for name, mean in (("gru", 1.0), ("lstm", 9.0))]


def other_seeds(rng: np.random.Generator) -> list[Arm]:
    return [arm("gru", noisy(rng, 1.0)), arm("lstm", noisy(rng, 9.0), seeds=(7, 8, 9))]


def identical(rng: np.random.Generator) -> list[Arm]:
    losses = noisy(rng, 2.0)
    return [arm(name, losses) for name in ("gru", "lstm")]


def tiny(rng: np.random.Generator) -> list[Arm]:
    return [arm(name, noisy(rng, mean, examples=4)) for name, mean in (("gru", 1.0), ("lstm", 9.0))]


def one_example_one_seed(rng: np.random.Generator) -> list[Arm]:
    return [arm(name, [[mean]]) for name, mean in (("gru", 1.0), ("lstm", 9.0))]


def unknown_cost(rng: np.random.Generator) -> list[Arm]:
    return [replace(row, memory=np.full(3, np.nan), seconds=np.array([1, np.inf, 2])) for row in identical(rng)]


@pytest.mark.parametrize(
    "make", [one, one_training, one_seed, other_seeds, identical, tiny, one_example_one_seed, unknown_cost]
)
@pytest.mark.parametrize("block", [1, 3])
def test_a_study_that_shows_nothing_claims_nothing_and_is_json(make: Any, block: int) -> None:
    found = answer(BITS, make(np.random.default_rng(6)), block)
    json.dumps(found, allow_nan=False)
    assert not any(row["different"] for row in found["pairs"])
    assert found["best"] == names(found)
    assert found["verdict"].endswith(".") and "clearly better" not in found["verdict"]


def test_one_seed_has_an_interval_over_examples_alone() -> None:
    (row,) = answer(BITS, one_seed(np.random.default_rng(6)), 1)["pairs"]
    assert (row["basis"], row["different"]) == ("examples", None)
    assert row["low"] < row["difference"] < row["high"] < 0


def test_few_examples_have_an_interval_over_seeds_alone() -> None:
    (row,) = answer(BITS, tiny(np.random.default_rng(6)), 1)["pairs"]
    assert (row["basis"], row["different"]) == ("seeds", None)
    assert row["p"] < 0.05


def test_one_seed_and_one_example_have_no_interval() -> None:
    (row,) = answer(BITS, one_example_one_seed(np.random.default_rng(6)), 1)["pairs"]
    assert (row["basis"], row["low"], row["high"], row["p"], row["p_holm"]) == ("", None, None, None, None)


@pytest.mark.parametrize(
    ("arms", "words"),
    [
        ([], "without a finished training"),
        ([arm("gru", np.ones((1, 4))), Arm("lstm", {}, (), np.empty(0), np.empty((0, 4)), 1, np.empty(0), np.empty(0))],
         "lstm: no training"),
        ([arm("gru", [[1, np.nan]], seeds=[7])], "gru, seed 7"),
        ([arm("gru", [[1, 2]], scores=np.array([np.inf]), seeds=[7])], "gru, seed 7"),
        ([arm("gru", [[1, 2]]), arm("lstm", [[1, 2, 3]])], "3 test examples of lstm, 2 test examples of gru"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_named(arms: list[Arm], words: str) -> None:
    with pytest.raises(DataError, match=words):
        answer(BITS, arms, 1)


def test_every_key_is_in_the_docstring(three: list[Arm]) -> None:
    documented = str(answer.__doc__)

    def check(value: Any) -> None:
        rows = [value] if isinstance(value, dict) else value if isinstance(value, list) else []
        for row in rows:
            for key, inner in row.items() if isinstance(row, dict) else ():
                assert f"`{key}`" in documented, key
                if key not in ("settings", "pareto"):
                    check(inner)

    check(answer(BITS, three, 1))


def test_it_is_the_same_after_a_json_file(three: list[Arm], tmp_path: Any) -> None:
    found = answer(BITS, three, 1)
    artifacts.save_json(tmp_path / "a.json", found)
    assert artifacts.load_json(tmp_path / "a.json") == found


def on_data_sets(scores: Mapping[str, Sequence[float]], metric: Metric = BITS) -> dict[str, Any]:
    """An answer for each data set, with one training of each arm; sizes of the arms differ between data sets."""
    return {
        f"data-{i}": answer(
            metric,
            [
                replace(
                    arm(f"cell={cell} units={i}", [[values[i]]], metric=metric), settings={"cell": cell, "units": i}
                )
                for cell, values in scores.items()
            ],
            1,
        )
        for i in range(len(next(iter(scores.values()))))
    }


def test_ranks_over_data_sets() -> None:
    scores = {"gru": [1.0, 2, 1, 3, 1, 2], "lstm": [2.0, 3, 2, 4, 2, 1], "rnn": [3.0, 4, 3, 5, 3, 3]}
    found = ranks(on_data_sets(scores), ["cell"])
    assert found["order"] == ["cell=gru", "cell=lstm", "cell=rnn"]
    assert found["ranks"] == {"cell=gru": pytest.approx(7 / 6), "cell=lstm": pytest.approx(11 / 6), "cell=rnn": 3}
    expected = stats.friedmanchisquare(*scores.values())
    assert (found["statistic"], found["p"]) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))
    assert found["cliques"] == [["cell=gru", "cell=lstm"], ["cell=lstm", "cell=rnn"]]
    json.dumps(found, allow_nan=False)


def test_ranks_of_accuracies() -> None:
    found = ranks(on_data_sets({"gru": [0.1, 0.2], "lstm": [0.3, 0.4]}, ACCURACY), ["cell"])
    assert found["order"][0] == "cell=gru", "whose losses are lower"


def test_ranks_leave_out_arms_that_a_data_set_lacks() -> None:
    answers = on_data_sets({"gru": [1.0, 2], "lstm": [2.0, 3], "rnn": [3.0, 4]})
    answers["data-0"]["arms"].pop(0)
    assert ranks(answers, ["cell"])["order"] == ["cell=lstm", "cell=rnn"]


def test_ranks_need_two_data_sets_and_two_arms() -> None:
    for answers in ({}, on_data_sets({"gru": [1.0], "lstm": [2.0]}), on_data_sets({"gru": [1.0, 2]})):
        with pytest.raises(DataError, match="two data sets or more"):
            ranks(answers, ["cell"])
