"""The page of a study: its verdict, its arms and pairs, their costs, and their ranks over several data sets."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.evaluation.metric import Metric
from pipeline.reporting import formatting, pages, study_pictures, tables
from pipeline.reporting.comparison import BETTER, UNCLEAR, WORSE
from pipeline.reporting.elements import Cell, Element, Table

FOLDED = 10  # pairs; more are folded away
WHY_NOT = {"examples": "no second seed", "seeds": "too few test examples"}
EXPLAINED = (
    "Interval and p allow for other seeds and other test examples: two arms are compared with the same seed on the "
    "same example, and both sources of chance are added. Holm’s correction is for the number of pairs; a pair differs "
    "if the corrected p is below 0.05. Each interval is for its pair alone, without correction."
)
LIMITED = {
    "examples": "One seed in common: interval and p allow for other test examples, but not for other seeds.",
    "seeds": "A short test part: interval and p allow for other seeds, but not for other test examples.",
    "": "One seed in common and a short test part: there is no interval.",
}

Row = Mapping[str, Any]


def page(title: str, answer: Row, metric: Metric, ranks: Row | None = None, *, address: str = "") -> str:
    """Render a study's page, with its pictures inside.

    answer: from studies.answer.answer, with `experiment`, `match` and `edition` if they are to be shown; metric: its
    primary metric; ranks: from studies.answer.ranks, of this study and others; address: of the page, seen from the
    index page.
    """
    shown = elements(answer, metric, ranks)
    folded = next((e for e in shown if isinstance(e, Table) and e.key == "pairs" and len(e.rows) > FOLDED), None)
    facts = [("study of", answer.get("experiment")), ("same", answer.get("match"))]
    return pages.page(
        "study.html",
        address=address,
        title=title,
        subtitle=", ".join(f"{words} {value}" for words, value in facts if value) or "study",
        synthetic=answer.get("edition") == "synthetic",
        story=[answer["verdict"], *([ranks["verdict"]] if ranks else [])],
        elements=[element for element in shown if element is not folded],
        folded=folded,
    )


def elements(answer: Row, metric: Metric, ranks: Row | None = None) -> list[Element]:
    """Return tables and pictures in their order. The arguments are those of `page`."""
    costs = [cost for cost in study_pictures.COSTS if all(arm[cost] is not None for arm in answer["arms"])]
    return [
        arms_table(answer, metric),
        study_pictures.means(answer, metric),
        *([study_pictures.against_cost(answer, metric, cost) for cost in costs] if answer["pairs"] else []),
        *([study_pictures.critical_difference(ranks)] if ranks else []),
        *([pairs_table(answer, metric)] if answer["pairs"] else []),
    ]


def markdown(title: str, answer: Row, metric: Metric, ranks: Row | None = None) -> str:
    """Return the verdict and the tables as Markdown, for a terminal, a pull request or MLflow."""
    said = [answer["verdict"], *([ranks["verdict"]] if ranks else [])]
    shown = [e for e in elements(answer, metric) if isinstance(e, Table)]
    return "\n".join([f"# {title}\n", *(f"{sentence}\n" for sentence in said), *map(tables.markdown, shown)])


def arms_table(answer: Row, metric: Metric) -> Table:
    """Return a row for each arm, best first; in bold those that no other is known to be better than."""
    arms, label = answer["arms"], metric.label or metric.name
    header = ("arm", f"{label} {formatting.direction(metric)}", "95 % interval", "parameters", "training", "memory",
              "Pareto front for")  # fmt: skip
    rows = [
        [
            Cell(arm["name"], note="" if _same_seeds(arms) else f"{len(arm['seeds'])} seeds"),
            Cell(formatting.value(metric, arm["mean"], arm["sd"]), number=True),
            Cell(_ends(metric, arm), number=True),
            Cell(formatting.count(arm["parameters"]), number=True),
            Cell("–" if arm["seconds"] is None else formatting.duration(arm["seconds"]), number=True),
            Cell("–" if arm["memory"] is None else f"{arm['memory']:,.0f} MB", number=True),
            Cell(", ".join(cost for cost in study_pictures.COSTS if arm["pareto"][cost]) or "–"),
        ]
        for arm in arms
    ]
    strong = frozenset(i for i, arm in enumerate(arms) if arm["name"] in answer["best"])
    return Table("Arms", header, rows, _arms_caption(arms), strong, key="arms")


def _same_seeds(arms: Sequence[Row]) -> bool:
    return len({len(arm["seeds"]) for arm in arms}) == 1


def _ends(metric: Metric, arm: Row) -> str:
    if arm["low"] is None:
        return "–"
    return f"{formatting.value(metric, arm['low'])} to {formatting.value(metric, arm['high'])}"


def _arms_caption(arms: Sequence[Row]) -> str:
    seeds = len(arms[0]["seeds"])
    if _same_seeds(arms) and seeds == 1:
        return "One training of each arm."
    over = f"{seeds} seeds" if _same_seeds(arms) else "seeds"
    return (
        f"Means over {over}, ± one standard deviation; their intervals (Student’s t) allow for other seeds. Bold: no "
        "other arm is known to be better. Pareto front: no other arm has as good a mean at a lower cost, or a better "
        "one at the same cost."
    )


def pairs_table(answer: Row, metric: Metric) -> Table:
    """Return a row for each pair of arms, the one with the better mean first."""
    bases = {pair["basis"] for pair in answer["pairs"]}
    header = ("arm", "against", "difference", "95 % interval", "verdict", "p", "p (Holm)")
    rows = [_pair(metric, pair) for pair in answer["pairs"]]
    unit = f" in {formatting.unit(metric)}" if metric.percent else ""
    caption = [f"Difference of {metric.label or metric.name}{unit}, the first arm minus the second."]
    caption += [EXPLAINED] if "seeds and examples" in bases else []
    caption += [LIMITED[basis] for basis in sorted(bases) if basis in LIMITED]
    return Table("Pairs of arms", header, rows, " ".join(caption), key="pairs")


def _pair(metric: Metric, pair: Row) -> list[Cell]:
    difference, low, high = pair["difference"], pair["low"], pair["high"]
    grain = None if low is None else max(high - low, abs(difference) / 100)
    ends = [] if low is None else [formatting.difference(metric, end, grain) for end in (low, high)]
    return [
        Cell(pair["a"]),
        Cell(pair["b"]),
        Cell(formatting.difference(metric, difference, grain), number=True),
        Cell(" to ".join(ends) or "–", number=True),
        _said(metric, pair),
        Cell(_p(pair["p"]), number=True),
        Cell(_p(pair["p_holm"]), number=True),
    ]


def _said(metric: Metric, pair: Row) -> Cell:
    if pair["different"] is None:
        return Cell("no verdict", note=WHY_NOT.get(pair["basis"], ""))
    if not pair["different"]:
        return Cell(UNCLEAR, mark=tables.MARKS[UNCLEAR])
    a_is_better = (pair["difference"] > 0) == bool(metric.higher_is_better)
    return Cell("better", mark=tables.MARKS[BETTER]) if a_is_better else Cell("worse", mark=tables.MARKS[WORSE])


def _p(p: float | None) -> str:
    return "–" if p is None else formatting.p_value(p).removeprefix("p ").removeprefix("= ")
