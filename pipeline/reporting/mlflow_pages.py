"""What stands on the pages of MLflow: Markdown, with the addresses of Journal.note where a link is."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.encoding.records import SPLITS
from pipeline.evaluation.metric import Metric
from pipeline.reporting import formatting, pages, tables
from pipeline.reporting.charts import COLOURS
from pipeline.reporting.comparison import Comparison, Pair, against_baseline
from pipeline.reporting.elements import Cell, Table
from pipeline.reporting.report_data import Experiment, ReportData, Result

VIEW = "experiment:/runs?viewStateShareKey=result&workflowType=machine_learning"
CHARTS = f"{VIEW}&compareRunsMode=CHART"
VIEW_NAME = "Result: score, baseline, skill, cost"


def tags(result: Result) -> dict[str, str]:
    """What a run's row in MLflow's table says in words: what is measured, and what came out."""
    metric = result.metric
    return {
        "measure": f"{metric.label} {formatting.direction(metric)}",
        "verdict": against_baseline(result).verdict or "no interval",
    }


def colour(turn: int) -> dict[str, str]:
    """The colour of the experiment's dot and lines in MLflow: that of the report's figures. turn: its place there."""
    return {"mlflow.runColor": COLOURS[turn % len(COLOURS)]}


def run(data: ReportData, experiment: Experiment) -> str:
    """The note of an experiment's run; MLflow folds it after the first lines."""
    result, metrics = experiment.result, experiment.metrics
    metric, against, key = result.metric, result.against, metrics["run"]["run_key"]
    headline = (
        f"**Test {metric.label} {tables.score(result)}**; the best baseline, {against['baseline']}: "
        f"{formatting.value(metric, against['baseline_score'])}. {_chance(against_baseline(result))}"
    )
    report = f"run:{key}/artifacts/report"
    links = [f"[figures]({report}/scores.png)", f"[all figures and tables]({report}/table.md)"]
    links += [f"[samples](run:{key}/artifacts/samples/samples.json)"] * bool(experiment.samples)
    links += [f"[model](model:{key})"]
    rows = (
        ("experiment", f"{experiment.name}: {_what(result)}"),
        ("data", _data(data, metrics)),
        ("measure", f"test {metric.label}, {_better(metric)}"),
        ("skill", _skill(against)),
        ("cost", _cost(metrics)),
        ("make it again", "`{tag:remake}`"),
    )
    body = "\n".join(["| | |", "|---|---|", *(f"| {what} | {_flat(said)} |" for what, said in rows)])
    return "\n\n".join(filter(None, [headline, _sample(metrics), " · ".join(links), body]))


def comparison(data: ReportData, pairs: Sequence[Pair], key: str) -> str:
    """Return the note of the run that groups the experiments on a data set: their ranking. pairs: comparison.pairs."""
    ours = {row.name: row.result for row in data.experiments}
    ranked = tables.ranked(data)
    winner = next(name for name, is_ours in ranked if is_ours)
    header = (
        "", "cell", f"test {data.metric.label} {formatting.direction(data.metric)}", "skill",
        "against the best baseline", "parameters", "training",
    )  # fmt: skip
    rows = [_ranked(ours[name]) if is_ours else _rival(data, name, len(header)) for name, is_ours in ranked]
    of_winner = [pair for pair in pairs if winner in (pair[0].name, pair[1].name)]
    versus = replace(tables.pairwise(data.metric, of_winner), caption="")
    report, keys = (
        f"run:{key}/artifacts/report",
        ",".join(ours[name].metrics["run"]["run_key"] for name, own in ranked if own),
    )
    links = (
        f"[figures]({report}/scores.png)",
        f"[all figures and tables]({report}/table.md)",
        f"[side by side](compare:{keys})",
        f"[as charts]({CHARTS})",
    )
    said = [_sample(ours[winner].metrics), pages.story(data), " · ".join(links)]
    table = tables.markdown(Table("Ranking", header, rows))
    return "\n\n".join([*filter(None, said), table, tables.markdown(versus)])


def source(data: ReportData) -> str:
    """The note of the MLflow experiment, which holds every run on a source; MLflow folds it after the first line."""
    card = data.facts.get("card")
    links = f"**[All trainings, the best first]({VIEW})** · **[as charts]({CHARTS})**"
    title = card["title"] if card else f"{data.facts['source']}, your own data"
    about = [f"{card['about']} Licence: {card['licence']}. [Homepage]({card['homepage']})"] if card else []
    columns = (
        "*score* is the test figure in *measure* (↑ higher is better, ↓ lower is better), *baseline_score* that of the "
        "best naive method on the same test data, *skill* the share of that method's error that is gone; *verdict* "
        "says whether the difference is more than chance. A run called *comparison* has the experiments on a data set "
        "under it, and their ranking in its description."
    )
    return "\n\n".join([f"{links} · {title}", *about, columns])


def _what(result: Result) -> str:
    metrics, cell = result.metrics, result.metrics["cell"]
    said = f"{formatting.CELLS.get(cell, cell)} for {result.task.title}"
    size = "{param:units} units"
    return ", ".join(filter(None, [said, size, f"{metrics['protocol']} protocol", tables.networks(metrics)]))


def _better(metric: Metric) -> str:
    return "higher is better" if metric.higher_is_better else "lower is better"


def _sample(metrics: Mapping[str, Any]) -> str:
    sample = metrics["edition"] == "synthetic"
    return "**Synthetic data: the figures say nothing about the published data.**" if sample else ""


def _skill(against: Mapping[str, Any]) -> str:
    skill = against["skill"]
    if skill is None:
        return "the baseline makes no error to compare with"
    meaning = "of that baseline's error is gone" if skill >= 0 else "its error is larger than that baseline's"
    return f"{formatting.skill(skill)}{' ' if skill >= 0 else ': '}{meaning}"


def _chance(comparison: Comparison) -> str:
    if not comparison.verdict:
        return f"The difference is {tables.interval(comparison)}, without an interval."
    return f"**{comparison.verdict.capitalize()}**: {tables.interval(comparison)}, 95 % over {comparison.basis}."


def _cost(metrics: Mapping[str, Any]) -> str:
    epochs, seconds = metrics["epochs"], formatting.duration(metrics["train_seconds"])
    return (
        f"{formatting.count(metrics['parameters'])} parameters, {seconds} of training, "
        f"{formatting.count(epochs)} {'epoch' if epochs == 1 else 'epochs'}"
    )


def _data(data: ReportData, metrics: Mapping[str, Any]) -> str:
    source = data.facts["source"]
    whence = "" if source == data.dataset else f" from {source}"
    counts = ", ".join(f"{formatting.count(metrics['examples'][split])} {split}" for split in SPLITS)
    return f"{data.dataset}{whence}, {metrics['edition']} edition: {counts}"


def _ranked(result: Result) -> list[Cell]:
    metrics, against = result.metrics, result.against
    return [
        Cell(f"**[{metrics['experiment']}](run:{metrics['run']['run_key']})**"),
        Cell(formatting.CELLS.get(metrics["cell"], metrics["cell"])),
        Cell(tables.score(result), number=True),
        Cell(formatting.skill(against["skill"]), number=True),
        tables.verdict(against_baseline(result)),
        Cell(formatting.count(metrics["parameters"]), number=True),
        Cell(formatting.duration(metrics["train_seconds"]), number=True),
    ]


def _rival(data: ReportData, name: str, width: int) -> list[Cell]:
    score = formatting.value(data.metric, data.baselines[name][data.metric.name])
    return [Cell(f"{name} (baseline)"), Cell(""), Cell(score, number=True), *[Cell("")] * (width - 3)]


def _flat(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
