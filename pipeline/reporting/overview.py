"""What the index page says over all data sets: score against cost, data sets by cells, and the history of champions.

Matplotlib is imported only when something is drawn.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.reporting import formatting
from pipeline.reporting.elements import Cell, Picture, Table
from pipeline.reporting.report_data import Result

LOWEST = -0.5  # the skill below which points are drawn at the edge, as triangles
NEWEST = 5  # decisions of a model that the history shows
OUTCOMES = {"better": "good", "not better": "bad", "inconclusive": "even", "rolled back": "even"}
COSTS = {"train_seconds": "seconds of training", "parameters": "parameters"}
Decision = Mapping[str, Any]  # a file of reports/decisions


def cost(results: Sequence[Result]) -> Picture | None:
    """Draw the skill of all experiments against what they cost; None if fewer than two have a skill.

    Skill, the share of the best baseline's error that a network removes, can be compared between data sets.
    """
    drawn = [result for result in results if result.against["skill"] is not None]
    if len(drawn) < 2:
        return None
    from pipeline.reporting import overview_pictures  # imports matplotlib

    best = max(drawn, key=_skill)
    low = [result.metrics["experiment"] for result in drawn if _skill(result) < LOWEST]
    without = [result.metrics["experiment"] for result in results if result.against["skill"] is None]
    caption = (
        "Skill: the share of the best baseline’s error that the network removes; at 0 % the two are equal. Each point "
        "is an experiment; the best one of each data set has the data set’s name. Seconds are those of all networks of "
        "an experiment, on the machine that ran it."
    )
    caption += f" Triangles: below {formatting.skill(LOWEST)} ({', '.join(low)})." if low else ""
    caption += f" Not drawn, because the baseline makes no error: {', '.join(without)}." if without else ""
    return Picture(
        "cost",
        "What the networks cost, and what that buys",
        f"Skill of {len(drawn)} experiments against seconds of training and against parameters; the best is "
        f"{best.metrics['experiment']}, {formatting.skill(_skill(best))}, with "
        f"{formatting.count(best.metrics['parameters'])} parameters and "
        f"{formatting.duration(best.metrics['train_seconds'])} of training",
        overview_pictures.cost(drawn, COSTS, LOWEST),
        caption,
        wide=True,
    )


def _skill(result: Result) -> float:
    return float(result.against["skill"])


def matrix(results: Sequence[Result]) -> Table | None:
    """Return a row for each data set with the best score of each cell; None if all experiments have one cell."""
    used = {result.metrics["cell"] for result in results}
    cells = [*(cell for cell in formatting.CELLS if cell in used), *sorted(used - set(formatting.CELLS))]
    if len(cells) < 2:
        return None
    by_dataset: dict[str, list[Result]] = {}
    for result in results:
        by_dataset.setdefault(result.metrics["dataset"], []).append(result)
    header = ("data set", *(formatting.CELLS.get(cell, cell) for cell in cells), "best baseline")
    caption = (
        "Test scores; ↑ higher is better, ↓ lower is better. Green: the best cell of a data set with several. –: no "
        "experiment with this cell. Where several experiments have one cell, its best is shown. Experiments may differ "
        "in more than the cell; the studies compare cells alone."
    )
    rows = [_row(dataset, shown, cells) for dataset, shown in by_dataset.items()]
    return Table("Data sets and cells", header, rows, caption, key="matrix")


def _row(dataset: str, shown: Sequence[Result], cells: Sequence[str]) -> list[Cell]:
    metric, against = shown[0].metric, shown[0].against
    of_cell = {cell: [result for result in shown if result.metrics["cell"] == cell] for cell in cells}
    best = {cell: min(found, key=_cost) for cell, found in of_cell.items() if found}
    winner = min(best, key=lambda cell: _cost(best[cell])) if len(best) > 1 else None
    row = [Cell(dataset, note=f"{metric.label} {formatting.direction(metric)}".strip())]
    for cell in cells:
        if cell not in best:
            row.append(Cell("–", number=True))
            continue
        note = best[cell].metrics["experiment"] if len(of_cell[cell]) > 1 else ""
        score = formatting.value(metric, best[cell].metrics["test"][metric.name])
        row.append(Cell(score, number=True, note=note, mark="good" if cell == winner else ""))
    return [*row, Cell(formatting.value(metric, against["baseline_score"]), number=True, note=against["baseline"])]


def _cost(result: Result) -> float:
    return result.metric.cost(result.metrics["test"])


def champions_page(project: Project) -> Path:
    """Where the gate leaves the page of its decisions."""
    return project.root / "reports" / "champions" / "index.html"


def load_decisions(project: Project) -> list[Decision]:
    """Load what the gate decided, the oldest first. Raises DataError for a damaged file."""
    paths = (project.root / "reports" / "decisions").glob("*/*.json")
    decisions: list[Decision] = [artifacts.load_json(path) for path in sorted(paths)]
    return sorted(decisions, key=lambda decision: str(decision["at"]))


def champions(decisions: Sequence[Decision]) -> Table | None:
    """Return the decisions on each model, the newest first; in bold those that made the champions. None without any."""
    if not decisions:
        return None
    by_model: dict[str, list[Decision]] = {}
    for decision in sorted(decisions, key=lambda one: str(one["at"])):
        by_model.setdefault(decision["model"], []).append(decision)
    rows: list[list[Cell]] = []
    strong, left_out = set(), 0
    for model in sorted(by_model):
        history = by_model[model]
        crowned = next((one for one in reversed(history) if one["promoted"]), None)
        newest = history[-NEWEST:]
        shown = newest if crowned is None or crowned in newest else [crowned, *newest[1:]]
        left_out += len(history) - len(shown)
        for decision in reversed(shown):
            strong |= {len(rows)} if decision is crowned else set()
            rows.append(_decided(decision, is_champion=decision is crowned))
    caption = "Decisions of the gate, the newest first; bold: the one that made the present champion."
    caption += f" {formatting.count(left_out)} older ones are in reports/decisions." if left_out else ""
    header = ("model", "version", "experiment", "decided (UTC)", "against", "outcome", "reason")
    return Table("Champions", header, rows, caption, frozenset(strong), key="champions")


def _decided(decision: Decision, *, is_champion: bool) -> list[Cell]:
    act = "promoted" if decision["promoted"] else "not promoted"
    champion = "no champion" if decision["champion"] is None else f"version {decision['champion']}"
    synthetic = "synthetic data" if decision["edition"] == "synthetic" else ""
    return [
        Cell(decision["model"], badge=synthetic),
        Cell(str(decision["version"]), number=True, note="champion" if is_champion else ""),
        Cell(decision["experiment"]),
        Cell(str(decision["at"])[:16].replace("T", " "), number=True),  # on one line
        Cell(champion),
        Cell(decision["outcome"], note=act, mark=OUTCOMES.get(decision["outcome"], "")),
        Cell(decision["reason"]),
    ]
