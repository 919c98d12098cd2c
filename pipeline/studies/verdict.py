"""Sentences of verdict, which claim no more than the numbers show."""

from collections.abc import Sequence
from typing import Any

from pipeline.evaluation.arms import FEW_DATA_SETS
from pipeline.evaluation.metric import Metric
from pipeline.reporting import formatting, tables
from pipeline.reporting.comparison import Comparison

ALPHA = 0.05  # a smaller p is more than chance
NAMED = 3  # a verdict names this many arms, and counts more

Row = dict[str, Any]


def sides(metric: Metric, pair: Row) -> tuple[str, str]:
    """Return the better and the worse arm of a pair."""
    a_is_better = (pair["difference"] > 0) == bool(metric.higher_is_better)
    return (pair["a"], pair["b"]) if a_is_better else (pair["b"], pair["a"])


def on_arms(metric: Metric, found: Row) -> str:
    """Return one sentence, which claims no more than the pairs show."""
    first, pairs = found["order"][0], found["pairs"]
    if not pairs:
        return _of_one_arm(metric, first, found["arms"][first])
    best = f"{first} has the best {metric.label or metric.name}, {_mean(metric, found, first)}"
    if all(pair["difference"] == pair["low"] == pair["high"] == 0 for pair in pairs):
        return f"The {len(found['order'])} arms give the same results, {_mean(metric, found, first)}: no difference."
    if all(pair["different"] is None for pair in pairs):
        return _beyond_nothing(found, best)
    if not any(pair["different"] for pair in pairs):
        return _no_difference(best, pairs)
    return _differences(metric, found, best)


def _mean(metric: Metric, found: Row, name: str) -> str:
    return formatting.value(metric, found["arms"][name]["mean"])


def _of_one_arm(metric: Metric, name: str, arm: Row) -> str:
    shown = f"{metric.label or metric.name} {formatting.value(metric, arm['mean'])}"
    if arm["sd"] is None:
        return f"{name}: {shown} from one training; nothing can be said beyond it, and there is no arm to compare."
    ends = " to ".join(formatting.value(metric, arm[end]) for end in ("low", "high"))
    seeds = len(arm["seeds"])
    return f"{name}: {shown}, 95 % interval {ends} over {seeds} seeds; there is no arm to compare."


def _beyond_nothing(found: Row, best: str) -> str:
    """Say why no pair can be called different: too few seeds, or too few test examples."""
    units, block = found["test"]["units"], found["test"]["block"]
    if all("examples" not in pair["basis"] for pair in found["pairs"]):
        noun = "independent blocks" if block > 1 else "examples"
        return f"{best}, on a test part of {units} {noun}, which is too short to say anything beyond it."
    if all(len(arm["seeds"]) == 1 for arm in found["arms"].values()):
        return f"{best}, but each arm was trained once, so nothing can be said beyond these trainings."
    return f"{best}, but no two arms share two seeds, so nothing can be said beyond these trainings."


def _no_difference(best: str, pairs: Sequence[Row]) -> str:
    tested = [pair["p_holm"] for pair in pairs if pair["different"] is not None]
    which = "the difference" if len(pairs) == 1 else f"none of the {len(tested)} differences between arms"
    negated = "is not" if len(pairs) == 1 else "is"
    smallest = f"{'' if len(pairs) == 1 else 'smallest '}{formatting.p_value(min(tested))}"
    return f"{best}, but {which} {negated} more than chance explains ({smallest}); the arms may still differ."


def _differences(metric: Metric, found: Row, best: str) -> str:
    """Name the arms that the first is better than, and the others; quote the pair with the arm that comes next."""
    first, others = found["order"][0], found["order"][1:]
    of_first = [pair for pair in found["pairs"] if pair["a"] == first]
    better = [pair["b"] for pair in of_first if pair["different"] and sides(metric, pair)[0] == first]
    open_ = [name for name in others if name not in better]
    if not better:
        clear = sum(bool(pair["different"]) for pair in found["pairs"])
        pairs = "1 other pair differs" if clear == 1 else f"{clear} other pairs differ"
        return f"{best}, but it is not clearly better than any other arm; {pairs} clearly."
    if open_:
        return f"{best}, and is clearly better than {_named(better)}, but not clearly different from {_named(open_)}."
    (closest,) = (pair for pair in of_first if pair["b"] == others[0])
    shown = tables.interval(Comparison(metric, closest["difference"], closest["low"], closest["high"]))
    against = f"{others[0]}" if len(others) == 1 else f"all {len(others)} others; the next is {others[0]}"
    return f"{best}, and is clearly better than {against}: {shown}, {formatting.p_value(closest['p_holm'])}."


def _named(names: Sequence[str]) -> str:
    if len(names) > NAMED:
        return f"{len(names)} others"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def on_ranks(found: Row) -> str:
    sets, first, ranks_of = len(found["data_sets"]), found["order"][0], found["ranks"]
    few = sets < FEW_DATA_SETS
    weak = f"; {sets} data sets are too few for more than a weak comparison" if few else ""
    best = f"{first} has the best mean rank over {sets} data sets, {ranks_of[first]:.2f}"
    if found["p"] >= ALPHA:
        test = f"Friedman’s test finds no difference between the {len(ranks_of)} arms"
        return f"{best}, but {test} ({formatting.p_value(found['p'])}){weak}."
    worse = [name for name in found["order"] if ranks_of[name] - ranks_of[first] > found["critical"]]
    if not worse:
        return f"{best}, but Nemenyi’s test finds no arm that it is better than{weak}."
    return f"{best}, and Nemenyi’s test finds it better than {_named(worse)}{weak}."
