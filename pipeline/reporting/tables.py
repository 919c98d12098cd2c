"""Make the tables of the reports."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.encoding.records import network_key
from pipeline.evaluation.metric import Metric
from pipeline.reporting import formatting
from pipeline.reporting.comparison import BETTER, UNCLEAR, WORSE, Comparison, Pair
from pipeline.reporting.elements import Cell, Table
from pipeline.reporting.report_data import ReportData, Result

NBSP = "\N{NO-BREAK SPACE}"
MARKS = {BETTER: "good", WORSE: "bad", UNCLEAR: "even", "": ""}
OPTIMUM = "optimum"


def way(against_optimum: Mapping[str, Any]) -> str:
    """Return how far a network came from the best baseline to the optimum, in words."""
    share = against_optimum["share"]
    return "reached by the baseline" if share is None else f"{formatting.share(share)} of the way"


def score(result: Result) -> str:
    """Return the primary test figure, with its standard deviation if there are several networks."""
    metric, metrics = result.metric, result.metrics
    return formatting.value(metric, metrics["test"][metric.name], metrics.get("test_sd", {}).get(metric.name))


def badge(metrics: Mapping[str, Any]) -> str:
    """Return a label that warns of synthetic data and of the textbook's protocol, or ""."""
    labels = ["synthetic data"] * (metrics["edition"] == "synthetic")
    labels += ["textbook's protocol"] * (metrics["protocol"] == "textbook")
    return ", ".join(labels)


def networks(metrics: Mapping[str, Any]) -> str:
    """Return how many networks a figure is the mean of: "5 folds", "3 seeds", "5 folds × 3 seeds", or "" for one."""
    folds = len({network["fold"] for network in metrics["networks"]})
    seeds = len({network["seed"] for network in metrics["networks"]})
    return " × ".join([f"{folds} folds"] * (folds > 1) + [f"{seeds} seeds"] * (seeds > 1))


def verdict(comparison: Comparison, words: Mapping[str, str] | None = None) -> Cell:
    """Return the verdict with the difference and its interval. words: of verdicts, to replace the usual ones."""
    outcome = comparison.verdict
    return Cell((words or {}).get(outcome, outcome) or "no interval", note=interval(comparison), mark=MARKS[outcome])


def interval(comparison: Comparison, unit: str | None = None) -> str:
    """Return the difference and its interval; a line breaks between the two only. unit: in place of the metric's."""
    metric, low, high = comparison.metric, comparison.low, comparison.high
    grain = None if low is None or high is None else max(high - low, abs(comparison.difference) / 100)
    middle = formatting.difference(metric, comparison.difference, grain)
    middle = f"{middle} {formatting.unit(metric) if unit is None else unit}".strip()
    if low is None or high is None:
        return middle
    ends = f"[{formatting.difference(metric, low, grain)}, {formatting.difference(metric, high, grain)}]"
    return f"{middle} {ends.replace(' ', NBSP)}"


def scores(data: ReportData) -> list[Table]:
    """Return every metric of every experiment and baseline, best first; the horizons in a table of their own."""
    scored = [experiment.metrics["test"] for experiment in data.experiments] + [*data.baselines.values()]
    others = dict.fromkeys(name for figures in scored for name in figures if name != data.metric.name)
    overall = [data.task.metric(name) for name in (data.metric.name, *others) if not re.search(r"_h\d+$", name)]
    several = len(data.encoded.encoder.get("horizons", ())) > 1
    return [_scores(data, overall), *([_by_horizon(data)] if several else [])]


def _by_horizon(data: ReportData) -> Table:
    """Return the MAE at each horizon; the metrics files have the other figures at each horizon."""
    encoder, order = data.encoded.encoder, ranked(data)
    ours = {experiment.name: experiment.metrics for experiment in data.experiments}
    rows = []
    for horizon in encoder["horizons"]:
        mae, inside = f"mae_h{horizon}", f"interval_coverage_h{horizon}"
        cells = [Cell(str(horizon), number=True)]
        for name, is_ours in order:
            figures = ours[name]["test"] if is_ours else data.baselines[name]
            spread = ours[name].get("test_sd", {}).get(mae) if is_ours else None
            coverage = f"{100 * figures[inside]:.1f} %" if inside in figures else ""
            shown = formatting.value(data.task.metric(mae), figures[mae], spread)
            cells.append(Cell(shown, number=True, note=coverage))
        if data.optimum:
            cells.insert(1, Cell(formatting.value(data.task.metric(mae), data.optimum[mae]), number=True))
        rows.append(cells)
    unit = f" in {encoder['unit']}" if encoder["unit"] else ""
    caption = f"Mean absolute error{unit} ↓, and the share of test values inside the 90 % interval."
    header = ("steps ahead", *([OPTIMUM] if data.optimum else []), *(name for name, _ in order))
    return Table("Scores by horizon", header, rows, caption, key="horizons")


def _scores(data: ReportData, metrics: Sequence[Metric]) -> Table:
    ours = {experiment.name: experiment.metrics for experiment in data.experiments}
    order = ranked(data)
    rows = []
    if data.optimum:
        best = [formatting.value(m, data.optimum[m.name]) if m.name in data.optimum else "–" for m in metrics]
        rows.append([Cell(OPTIMUM, note="the best possible"), *(Cell(text, number=True) for text in best)])
    for name, is_ours in order:
        figures = ours[name]["test"] if is_ours else data.baselines[name]
        spread = ours[name].get("test_sd", {}) if is_ours else {}
        shown = [
            formatting.value(m, figures[m.name], spread.get(m.name)) if m.name in figures else "–" for m in metrics
        ]
        first = _named(data, name, ours)
        rows.append([first, *(Cell(text, number=True) for text in shown)])
    header = ("test scores", *(f"{m.label} {formatting.direction(m)}" for m in metrics))
    caption = _scores_caption(data)
    strong = frozenset(i for i, (_, is_ours) in enumerate(order, bool(data.optimum)) if is_ours)
    return Table("Scores", header, rows, caption, strong, key="scores")


def _named(data: ReportData, name: str, ours: Mapping[str, Any]) -> Cell:
    if name in ours:
        return Cell(name, anchor=anchor(name))
    return Cell(name, note="baseline" if network_key(name, 0) in data.baseline_predictions else "not compared")


def anchor(experiment: str) -> str:
    """Return the id of an experiment on the page of its data set."""
    return f"experiment-{experiment}"


def ranked(data: ReportData) -> list[tuple[str, bool]]:
    """Return (name, whether it is an experiment) of experiments and baselines, best first."""
    metric = data.metric
    costs = [(metric.cost(experiment.metrics["test"]), experiment.name, True) for experiment in data.experiments]
    costs += [(metric.cost(scores), name, False) for name, scores in data.baselines.items() if metric.name in scores]
    return [(name, ours) for _, name, ours in sorted(costs, key=lambda row: (row[0], not row[2], row[1]))]


def _scores_caption(data: ReportData) -> str:
    repeated = [
        f"{experiment.name}: {networks(experiment.metrics)}"
        for experiment in data.experiments
        if networks(experiment.metrics)
    ]
    spread = f"± is the standard deviation over networks ({'; '.join(repeated)})." if repeated else ""
    return " ".join(filter(None, [spread, *(mcnemar(experiment.metrics) for experiment in data.experiments)]))


def mcnemar(metrics: Mapping[str, Any]) -> str:
    """Return McNemar's test of an experiment and its best baseline as a sentence; "" if there was no test."""
    against = metrics["against_baseline"]
    if "mcnemar" not in against:
        return ""
    test, baseline = against["mcnemar"], against["baseline"]
    ours, theirs = (formatting.count(test[f"only_{who}_right"]) for who in ("ours", "baseline"))
    p = f"p = {test['p']:.4f}" if test["p"] >= 0.0001 else "p < 0.0001"
    return f"Only {metrics['experiment']} is right on {ours} test examples, only {baseline} on {theirs}; McNemar's {p}."


def pairwise(metric: Metric, pairs: Sequence[Pair]) -> Table:
    """Return a row for each pair of experiments."""
    rows = []
    for a, b, comparison in pairs:
        words = {BETTER: f"{a.name} better", WORSE: f"{b.name} better"}
        shown = verdict(comparison, words)
        # Green whichever of the two is better.
        shown = replace(shown, mark=shown.mark and ("even" if comparison.verdict == UNCLEAR else "good"))
        rows.append([Cell(f"{a.name} − {b.name}"), shown, Cell(comparison.basis)])
    header = (f"difference of {metric.label}", "verdict [95 % interval]", "computed over")
    caption = (
        "Over seeds: Student's t on paired differences, to allow for other trainings. Over test examples: paired block "
        "bootstrap, to allow for other test sets. Each pair is judged by itself: of many equal pairs, about one in "
        "twenty appears to differ by chance."
    )
    return Table("Experiments against each other", header, rows, caption, key="pairwise")


def cost(data: ReportData) -> Table:
    """Return parameters, times and the MLflow run of each experiment."""
    header = ("experiment", "parameters", "training", "epochs", "per epoch", "examples/s", "networks", "MLflow run")
    rows = [
        [
            Cell(experiment.name, note=formatting.CELLS.get(experiment.metrics["cell"], experiment.metrics["cell"])),
            Cell(formatting.count(experiment.metrics["parameters"]), number=True),
            Cell(formatting.duration(experiment.metrics["train_seconds"]), number=True),
            Cell(formatting.count(experiment.metrics["epochs"]), number=True),
            Cell(formatting.duration(experiment.metrics["epoch_seconds"]), number=True),
            Cell(formatting.count(round(experiment.metrics["examples_per_second"])), number=True),
            Cell(networks(experiment.metrics) or "1"),
            Cell(str(experiment.metrics.get("run_id") or "–")[:8]),
        ]
        for experiment in data.experiments
    ]
    caption = (
        "Training: time of all networks together. Epochs: those that led to the final weights. Per epoch: median "
        "time, validation included. Examples/s: median, validation excluded."
    )
    return Table("Cost", header, rows, caption, key="cost")


def markdown(table: Table, heading: str = "##") -> str:
    """Return the table as Markdown, for a page, a terminal, a pull request or MLflow. heading: before its title.

    The names of rows in bold are bold.
    """
    aligned = ["--:" if cell.number else "---" for cell in table.rows[0]] if table.rows else ["---"] * len(table.header)
    header = [_flat(Cell(name)) for name in table.header]
    rows = [[_flat(cell) for cell in row] for row in table.rows]
    for i in table.strong:
        rows[i][0] = f"**{rows[i][0]}**"
    lines = [header, aligned, *rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    title = f"{heading} {table.title}" if table.title else ""
    return "\n\n".join(part for part in (title, body, table.caption) if part) + "\n"


def _flat(cell: Cell) -> str:
    extras = [text for text in (cell.badge, cell.note) if text]
    text = f"{cell.text} ({'; '.join(extras)})" if extras else cell.text
    return text.replace("|", "\\|").replace("\n", " ")
