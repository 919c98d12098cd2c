"""Write the notes on MLflow's pages: Markdown, whose links use the addresses of Journal.note."""

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.encoding.records import SPLITS
from pipeline.evaluation.metric import Metric
from pipeline.reporting import formatting, tables, wording
from pipeline.reporting.charts import COLOURS
from pipeline.reporting.comparison import Comparison, Pair, against_baseline
from pipeline.reporting.elements import Cell, Table
from pipeline.reporting.report_data import Experiment, ReportData, Result

VIEW = "experiment:/runs?viewStateShareKey={}&workflowType=machine_learning"  # of the key of a saved view
CHARTS = f"{VIEW}&compareRunsMode=CHART"

FIRST_WORDS = 72  # characters: the list of experiments shows about 40, and a page of 1,100 pixels 110 with the links


def tags(result: Result) -> dict[str, str]:
    """Return the tags that show in a run's row of MLflow's table: the metric and the verdict."""
    metric = result.metric
    return {
        "measure": f"{formatting.direction(metric)} {metric.label}".strip(),
        "verdict": against_baseline(result).verdict or "no interval",
    }


def colour(turn: int) -> dict[str, str]:
    """Return the tag with the run's colour in MLflow, the same as in the report. turn: place among the experiments."""
    return {"mlflow.runColor": COLOURS[turn % len(COLOURS)]}


def run(data: ReportData, experiment: Experiment) -> str:
    """Return the note of an experiment's run; MLflow shows its first lines, and the rest on a click."""
    result, metrics = experiment.result, experiment.metrics
    metric, against, key = result.metric, result.against, metrics["run"]["run_key"]
    report = f"run:{key}/artifacts/report"
    links = [f"[figures]({report}/scores.png)", f"[all figures and tables]({report}/table.md)"]
    links += [f"[samples](run:{key}/artifacts/samples/samples.json)"] * bool(experiment.samples)
    links += [f"[model](model:{key})"]
    rows = (
        ("experiment", f"{experiment.name}: {_description(result)}"),
        ("data", _data(data, metrics)),
        ("measure", f"test {metric.label}, {_better(metric)}"),
        ("skill", _skill(against)),
        *([("optimum", _optimum(result))] if result.against_optimum else []),
        ("cost", cost(metrics)),
        ("reproduce", "`{tag:remake}`"),
    )
    body = "\n".join(["| | |", "|---|---|", *(f"| {name} | {_flat(text)} |" for name, text in rows)])
    return "\n\n".join(filter(None, [headline(result), warning(metrics), " · ".join(links), body]))


def headline(result: Result) -> str:
    """Return the score, that of the best baseline, and whether the difference is more than chance."""
    metric, against = result.metric, result.against
    return (
        f"**Test {metric.label} {tables.score(result)}**; best baseline: {against['baseline']}, "
        f"{formatting.value(metric, against['baseline_score'])}. {_chance(against_baseline(result))}"
    )


def comparison(data: ReportData, pairs: Sequence[Pair], key: str) -> str:
    """Return the note of the run that groups the experiments on a data set: their ranking. pairs: comparison.pairs."""
    ours = {experiment.name: experiment.result for experiment in data.experiments}
    ranked = tables.ranked(data)
    winner = next(name for name, is_ours in ranked if is_ours)
    header = (
        "", "cell", f"{formatting.direction(data.metric)} test {data.metric.label}".strip(), "skill",
        "against the best baseline", "parameters", "training",
    )  # fmt: skip
    rows = [_ranked(ours[name]) if is_ours else _baseline(data, name, len(header)) for name, is_ours in ranked]
    of_winner = [pair for pair in pairs if winner in (pair[0].name, pair[1].name)]
    versus = replace(tables.pairwise(data.metric, of_winner), caption="")
    report, on = f"run:{key}/artifacts/report", f"on-{data.dataset}"
    keys = ",".join(ours[name].metrics["run"]["run_key"] for name, own in ranked if own)
    links = (
        f"[figures]({report}/scores.png)",
        f"[all figures and tables]({report}/table.md)",
        f"[side by side]({VIEW.format(on)})",
        f"[as charts]({CHARTS.format(on)})",
        f"[all parameters and metrics](compare:{keys})",
    )
    lines = [warning(ours[winner].metrics), wording.story(data), " · ".join(links)]
    table = tables.markdown(Table("Ranking", header, rows))
    return "\n\n".join([*filter(None, lines), table, tables.markdown(versus)])


def source(data: ReportData, protocols: Collection[str]) -> str:
    """Return the note of the MLflow experiment of a source. protocols: those of the source's data sets.

    MLflow's list of experiments shows its first words without Markdown, and the experiment's page its first line.
    """
    card = data.facts.get("card")
    title = card["title"] if card else data.facts["source"]
    about = card["about"] if card else f"your own data, for {data.task.title}."
    first = textwrap.shorten(f"{title}: {about}", FIRST_WORDS, placeholder=" …", break_on_hyphens=False)
    terms = [f"{about} Licence: {card['licence']}. [Homepage]({card['homepage']})"] if card else []
    columns = (
        "*score* is the test figure of the metric in *measure* (↑ higher is better, ↓ lower is better). "
        "*baseline_score* is the figure of the best naive method on the same test data. *skill* is the share of that "
        "method's error that the network removes. *verdict* says whether the difference is more than chance. A run "
        "called *comparison* groups the experiments on a data set; its description ranks them."
    )
    return "\n\n".join([f"{first} {_views(protocols)}", *terms, columns])


def _views(protocols: Collection[str]) -> str:
    links = [f"**[Trainings, the best first]({VIEW.format('result')})**", f"[charts]({CHARTS.format('result')})"]
    chapters = [f"[textbook]({VIEW.format('textbook')})"]
    return " · ".join(links * ("held_out" in protocols) + chapters * ("textbook" in protocols))


def _description(result: Result) -> str:
    metrics, cell = result.metrics, result.metrics["cell"]
    network = f"{formatting.CELLS.get(cell, cell)} for {result.task.title}"
    size = "{param:units} units"
    return ", ".join(filter(None, [network, size, f"{metrics['protocol']} protocol", tables.networks(metrics)]))


def _better(metric: Metric) -> str:
    return "higher is better" if metric.higher_is_better else "lower is better"


def warning(metrics: Mapping[str, Any]) -> str:
    """Return a sentence if the data are synthetic, and "" if not."""
    synthetic = metrics["edition"] == "synthetic"
    return "**Synthetic data: the figures say nothing about the published data.**" if synthetic else ""


def _skill(against: Mapping[str, Any]) -> str:
    skill = against["skill"]
    if skill is None:
        return "none: the baseline makes no error"
    meaning = " of the baseline's error is gone" if skill >= 0 else ": the error is larger than the baseline's"
    return f"{formatting.skill(skill)}{meaning}"


def _optimum(result: Result) -> str:
    limit = result.against_optimum
    assert limit is not None
    return f"{formatting.value(result.metric, limit['score'])} is the best possible on these data; {tables.way(limit)}"


def _chance(comparison: Comparison) -> str:
    if not comparison.verdict:
        return f"The difference is {tables.interval(comparison)}; there is no interval."
    return f"**{comparison.verdict.capitalize()}**: {tables.interval(comparison)} (95 % over {comparison.basis})."


def cost(metrics: Mapping[str, Any]) -> str:
    """Return the size of the network, and how long it was trained."""
    epochs, seconds = metrics["epochs"], formatting.duration(metrics["train_seconds"])
    return (
        f"{formatting.count(metrics['parameters'])} parameters, {seconds} of training, "
        f"{formatting.count(epochs)} {'epoch' if epochs == 1 else 'epochs'}"
    )


def _data(data: ReportData, metrics: Mapping[str, Any]) -> str:
    source = data.facts["source"]
    origin = "" if source == data.dataset else f" from {source}"
    counts = ", ".join(f"{formatting.count(metrics['examples'][split])} {split}" for split in SPLITS)
    return f"{data.dataset}{origin}, {metrics['edition']} edition: {counts}"


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


def _baseline(data: ReportData, name: str, width: int) -> list[Cell]:
    score = formatting.value(data.metric, data.baselines[name][data.metric.name])
    return [Cell(f"{name} (baseline)"), Cell(""), Cell(score, number=True), *[Cell("")] * (width - 3)]


def _flat(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
