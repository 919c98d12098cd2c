"""Sentences of verdict, which claim no more than the numbers show."""

from collections.abc import Sequence
from typing import Any

from pipeline.evaluation.arms import FEW_DATA_SETS
from pipeline.evaluation.metric import Metric
from pipeline.reporting import formatting

ALPHA = 0.05  # a smaller p is more than chance
NAMED = 3  # a verdict names this many arms, and counts more

Row = dict[str, Any]


def sides(metric: Metric, pair: Row) -> tuple[str, str]:
    """Return the better and the worse arm of a pair."""
    a_is_better = (pair["difference"] > 0) == bool(metric.higher_is_better)
    return (pair["a"], pair["b"]) if a_is_better else (pair["b"], pair["a"])


def on_arms(metric: Metric, found: Row) -> str:
    """Return one sentence, which claims no more than the pairs show."""
    first, pairs = found["arms"][0], found["pairs"]
    if not pairs:
        return _of_one_arm(metric, first)
    mean = formatting.value(metric, first["mean"])
    if all(pair["difference"] == pair["low"] == pair["high"] == 0 for pair in pairs):
        return f"The {len(found['arms'])} arms give the same results, {mean}: no difference."
    best = f"{first['name']} has the best {metric.label or metric.name}, {mean}"
    if all(pair["different"] is None for pair in pairs):
        return _beyond_nothing(found, best)
    if not any(pair["different"] for pair in pairs):
        return _no_difference(best, pairs)
    return _differences(metric, found, best)


def _of_one_arm(metric: Metric, arm: Row) -> str:
    shown = f"{metric.label or metric.name} {formatting.value(metric, arm['mean'])}"
    if arm["sd"] is None:
        return (
            f"{arm['name']}: {shown} from one training; nothing can be said beyond it, and there is no arm to compare."
        )
    ends = " to ".join(formatting.value(metric, arm[end]) for end in ("low", "high"))
    seeds = len(arm["seeds"])
    return f"{arm['name']}: {shown}, 95 % interval {ends} over {seeds} seeds; there is no arm to compare."


def _beyond_nothing(found: Row, best: str) -> str:
    """Say why no pair can be called different: too few seeds, or too few test examples."""
    units, block = found["test"]["units"], found["test"]["block"]
    if all("examples" not in pair["basis"] for pair in found["pairs"]):
        noun = "independent blocks" if block > 1 else "examples"
        return f"{best}, on a test part of {units} {noun}, which is too short to say anything beyond it."
    if all(len(arm["seeds"]) == 1 for arm in found["arms"]):
        return f"{best}, but each arm was trained once, so nothing can be said beyond these trainings."
    return f"{best}, but no two arms share two seeds, so nothing can be said beyond these trainings."


def _no_difference(best: str, pairs: Sequence[Row]) -> str:
    tested = [pair["p_holm"] for pair in pairs if pair["different"] is not None]
    p, end = formatting.p_value(min(tested)), "the arms may still differ"
    if len(pairs) == 1:
        return f"{best}, but the difference is not more than chance explains ({p}); {end}."
    return f"{best}, but none of the {len(tested)} differences is more than chance explains (smallest {p}); {end}."


def _differences(metric: Metric, found: Row, best: str) -> str:
    """Name the arms that the first is better than, and the others; quote the pair with the arm that comes next."""
    first, *others = (arm["name"] for arm in found["arms"])
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
    shown = _difference(metric, closest)
    against = f"{others[0]}" if len(others) == 1 else f"all {len(others)} others; the next is {others[0]}"
    corrected = f" after Holm’s correction for {len(found['pairs'])} pairs" if len(others) > 1 else ""
    return f"{best}, and is clearly better than {against}: {shown}, {formatting.p_value(closest['p_holm'])}{corrected}."


def _difference(metric: Metric, pair: Row) -> str:
    low, middle, high = (
        formatting.difference(metric, pair[key], pair["high"] - pair["low"]) for key in ("low", "difference", "high")
    )
    return f"{middle} {formatting.unit(metric)} [{low}, {high}]"


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
