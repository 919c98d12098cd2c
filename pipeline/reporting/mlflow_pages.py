"""What stands on the pages of MLflow: Markdown, with the addresses of Journal.note where a link is."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.encoding.records import SPLITS
from pipeline.reporting import formatting, pages, tables
from pipeline.reporting.charts import COLOURS
from pipeline.reporting.comparison import Comparison, against_baseline
from pipeline.reporting.elements import Cell, Element, Table
from pipeline.reporting.report_data import Experiment, Material

VIEW = "experiment:/runs?viewStateShareKey=result&workflowType=machine_learning"
CHARTS = f"{VIEW}&compareRunsMode=CHART"
VIEW_NAME = "Result: score, baseline, skill, cost"


def tags(metrics: Mapping[str, Any]) -> dict[str, str]:
    """What a run's row in MLflow's table says in words: what is measured, and what came out."""
    metric = metrics["against_baseline"]["metric"]
    return {
        "measure": f"{formatting.label(metric)} {formatting.direction(metric)}",
        "verdict": against_baseline(metrics).verdict or "no interval",
    }


def colour(turn: int) -> dict[str, str]:
    """The colour of the experiment's dot and lines in MLflow: that of the report's figures. turn: its place there."""
    return {"mlflow.runColor": COLOURS[turn % len(COLOURS)]}


def run(material: Material, experiment: Experiment) -> str:
    """The note of an experiment's run; MLflow folds it after the first lines."""
    metrics = experiment.metrics
    against, key = metrics["against_baseline"], metrics["run"]["run_key"]
    metric = against["metric"]
    result = (
        f"**Test {formatting.label(metric)} {tables.score(metrics, metric)}**; the best baseline, {against['baseline']}: "
        f"{formatting.value(metric, against['baseline_score'])}. {_chance(against_baseline(metrics))}"
    )
    report = f"run:{key}/artifacts/report"
    links = [f"[figures]({report}/scores.png)", f"[all figures and tables]({report}/table.md)"]
    links += [f"[samples](run:{key}/artifacts/samples/samples.json)"] * bool(experiment.samples)
    links += [f"[model](model:{key})"]
    rows = (
        ("experiment", f"{experiment.name}: {_what(metrics)}"),
        ("data", _data(material, metrics)),
        ("measure", f"test {formatting.label(metric)}, {_better(metric)}"),
        ("skill", _skill(against)),
        ("cost", _cost(metrics)),
        ("make it again", "`{tag:remake}`"),
    )
    body = "\n".join(["| | |", "|---|---|", *(f"| {what} | {_flat(said)} |" for what, said in rows)])
    return "\n\n".join(filter(None, [result, _sample(metrics), " · ".join(links), body]))


def comparison(material: Material, shown: Sequence[Element], key: str) -> str:
    """The note of the run above the experiments on a data set: their ranking. shown: the elements of the section."""
    ours = {row.name: row.metrics for row in material.experiments}
    ranked = tables.ranked(material)
    winner = next(name for name, is_ours in ranked if is_ours)
    header = (
        "", "cell", f"test {formatting.label(material.headline)} {formatting.direction(material.headline)}", "skill",
        "against the best baseline", "parameters", "training",
    )  # fmt: skip
    rows = [_ranked(ours[name]) if is_ours else _rival(material, name, len(header)) for name, is_ours in ranked]
    versus = [
        Table(e.title, e.header, kept)
        for e in shown
        if isinstance(e, Table) and e.title == tables.PAIRWISE
        for kept in [[row for row in e.rows if winner in row[0].text.split(" − ")]]
    ]
    report, keys = f"run:{key}/artifacts/report", ",".join(ours[name]["run"]["run_key"] for name, own in ranked if own)
    links = (
        f"[figures]({report}/scores.png)",
        f"[all figures and tables]({report}/table.md)",
        f"[side by side](compare:{keys})",
        f"[as charts]({CHARTS})",
    )
    said = [_sample(ours[winner]), pages.story(material), " · ".join(links)]
    table = tables.markdown(Table("Ranking", header, rows))
    return "\n\n".join([*filter(None, said), table, *(tables.markdown(table) for table in versus)])


def source(material: Material) -> str:
    """The note of the MLflow experiment, which holds every run on a source; MLflow folds it after the first line."""
    card = material.facts.get("card")
    links = f"**[All trainings, the best first]({VIEW})** · **[as charts]({CHARTS})**"
    title = card["title"] if card else f"{material.facts['source']}, your own data"
    about = [f"{card['about']} Licence: {card['licence']}. [Homepage]({card['homepage']})"] if card else []
    columns = (
        "*score* is the test figure in *measure* (↑ higher is better, ↓ lower is better), *baseline_score* that of the "
        "best naive method on the same test data, *skill* the share of that method's error that is gone; *verdict* "
        "says whether the difference is more than chance. A run called *comparison* has the experiments on a data set "
        "under it, and their ranking in its description."
    )
    return "\n\n".join([f"{links} · {title}", *about, columns])


def _what(metrics: Mapping[str, Any]) -> str:
    cell, task = metrics["cell"], metrics["task"]
    said = f"{formatting.CELLS.get(cell, cell)} for {formatting.TASKS.get(task, task)}"
    size = "{param:units} units"
    return ", ".join(filter(None, [said, size, f"{metrics['protocol']} protocol", tables.networks(metrics)]))


def _better(metric: str) -> str:
    return "higher is better" if formatting.direction(metric) == "↑" else "lower is better"


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
    epochs = metrics["epochs"]
    return (
        f"{formatting.count(metrics['parameters'])} parameters, {formatting.duration(metrics['train_seconds'])} of training, "
        f"{formatting.count(epochs)} {'epoch' if epochs == 1 else 'epochs'}"
    )


def _data(material: Material, metrics: Mapping[str, Any]) -> str:
    source = material.facts["source"]
    whence = "" if source == material.dataset else f" from {source}"
    counts = ", ".join(f"{formatting.count(metrics['examples'][split])} {split}" for split in SPLITS)
    return f"{material.dataset}{whence}, {metrics['edition']} edition: {counts}"


def _ranked(metrics: Mapping[str, Any]) -> list[Cell]:
    against = metrics["against_baseline"]
    return [
        Cell(f"**[{metrics['experiment']}](run:{metrics['run']['run_key']})**"),
        Cell(formatting.CELLS.get(metrics["cell"], metrics["cell"])),
        Cell(tables.score(metrics, against["metric"]), number=True),
        Cell(formatting.skill(against["skill"]), number=True),
        tables.verdict(against_baseline(metrics)),
        Cell(formatting.count(metrics["parameters"]), number=True),
        Cell(formatting.duration(metrics["train_seconds"]), number=True),
    ]


def _rival(material: Material, name: str, width: int) -> list[Cell]:
    score = formatting.value(material.headline, material.baselines[name][material.headline])
    return [Cell(f"{name} (baseline)"), Cell(""), Cell(score, number=True), *[Cell("")] * (width - 3)]


def _flat(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
