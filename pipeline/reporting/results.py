"""docs/results.md: all figures of a finished run, as Markdown."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.evaluation.metric import Metric
from pipeline.reporting import formatting, study, tuning, wording
from pipeline.reporting.comparison import against_baseline
from pipeline.reporting.elements import Cell, Table
from pipeline.reporting.report_data import Result
from pipeline.reporting.tables import badge, markdown, mcnemar, networks, verdict

Results = Mapping[str, Sequence[Result]]  # by data set
# By name of the study or tuning: what the stage wrote, and the metric it is judged by.
Outcomes = Mapping[str, tuple[Mapping[str, Any], Metric]]
HEADER = (
    "experiment", "data set", "cell", "test score", "validation score", "best baseline", "skill",
    "difference to the best baseline", "parameters", "seconds of training", "epochs",
)  # fmt: skip
READING = (
    "A score with ± is the mean over several networks and their standard deviation. The best baseline is the one with\n"
    "the best test score. The difference is the experiment’s score minus that of the best baseline, with its 95 %\n"
    "interval over the test examples. Skill is the share of the baseline’s error that the network removes. Seconds\n"
    "are wall-clock seconds of all trainings of the experiment together: folds, repeats and the refit."
)
AT_HORIZON = re.compile(r"_h(\d+)$")
SHOWN_AT_HORIZONS = "mae"  # the metrics files have the other figures at each horizon


def page(
    head: Mapping[str, str], held_out: Results, textbook: Results, printed: Table | None, studies: Outcomes,
    tunings: Outcomes,
) -> str:  # fmt: skip
    """Return the whole page.

    head: what the results were made with. held_out, textbook: the results on the data sets of params.yaml, and of
    textbook/params.yaml. printed: the figures of the textbook next to these; None without textbook/params.yaml.
    """
    parts = [
        f"# Results on the {head['edition']} data\n",
        "Written by `python -m pipeline results`, the last step of `make full`, from the metrics files of one run.\n"
        "Do not edit it. What the figures mean: [findings.md](findings.md).\n",
        _lines(head),
        f"{READING}\n",
        *_part("Experiments", held_out),
        *_asked("Studies", {name: _study(one, _precise(metric)) for name, (one, metric) in studies.items()}),
        *_asked("Tunings", {name: _tuning(one, _precise(metric)) for name, (one, metric) in tunings.items()}),
    ]
    if printed is not None:
        parts += [markdown(printed), *_part("The textbook’s protocols", textbook)]
    return "\n".join(parts)


def _lines(head: Mapping[str, str]) -> str:
    """Return the head as a table without a title."""
    cells = [[Cell(name), Cell(text)] for name, text in head.items()]
    return markdown(Table("", ("the run", ""), cells))


def _part(title: str, results: Results) -> Iterator[str]:
    """Yield a table over all experiments, and one with all figures for each data set."""
    rows = [result for shown in results.values() for result in shown]
    yield markdown(Table(title, HEADER, [_row(result) for result in rows], wording.tally(rows)))
    for dataset, shown in results.items():
        if shown:
            yield markdown(figures(dataset, shown), heading="###")


def _asked(title: str, sections: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if sections:
        yield f"## {title}\n"
    for name, parts in sections.items():
        yield from (f"### {name}\n", *parts)


def _study(answer: Mapping[str, Any], metric: Metric) -> list[str]:
    seconds = [arm["seconds"] * len(arm["seeds"]) for arm in answer["arms"] if arm["seconds"] is not None]
    trained = f"Of {answer['experiment']}; all trainings together took {formatting.duration(sum(seconds))}."
    shown = [study.arms_table(answer, metric), *([study.pairs_table(answer, metric)] if answer["pairs"] else [])]
    return [f"{answer['verdict']}\n", f"{trained}\n", *(markdown(table, heading="####") for table in shown)]


def _tuning(found: Mapping[str, Any], metric: Metric) -> list[str]:
    searched = f"Of {found['experiment']}; the search took {formatting.duration(found['seconds'])}."
    shown = markdown(tuning.table(found, metric), heading="####")
    return [f"{tuning.verdict(found, metric)}\n", f"{searched}\n", shown]


def _row(result: Result) -> list[Cell]:
    metrics, against, metric = result.metrics, result.against, _precise(result.metric)
    return [
        Cell(metrics["experiment"], badge=badge(metrics)),
        Cell(metrics["dataset"], note=result.task.title),
        Cell(formatting.CELLS.get(metrics["cell"], metrics["cell"])),
        replace(
            _figure(metric, metrics["test"], metrics.get("test_sd")),
            note=f"{metric.label} {formatting.direction(metric)}",
        ),
        _figure(metric, metrics["validation"]),
        Cell(formatting.value(metric, against["baseline_score"]), number=True, note=against["baseline"]),
        Cell(formatting.skill(against["skill"]), number=True),
        verdict(replace(against_baseline(result), metric=metric)),
        Cell(formatting.count(metrics["parameters"]), number=True),
        Cell(formatting.count(round(metrics["train_seconds"])), number=True),
        Cell(formatting.count(metrics["epochs"]), number=True, note=networks(metrics)),
    ]


def figures(dataset: str, results: Sequence[Result]) -> Table:
    """Return a row for each figure on the data set; a column for each experiment, and each baseline, the best first.

    results: at least one, all on the data set.
    """
    baselines, first = results[0].metrics["baselines"], results[0]
    order = sorted(baselines, key=lambda name: _cost(first.metric, baselines[name]))
    best = first.against["baseline"]
    header = ["figure", *(result.metrics["experiment"] for result in results)]
    header += [f"**{name} (best baseline)**" if name == best else name for name in order]
    rows = [
        [
            Cell(f"{metric.label} {formatting.direction(metric)}".strip()),
            *(_figure(metric, result.metrics["test"], result.metrics.get("test_sd")) for result in results),
            *(_figure(metric, baselines[name]) for name in order),
        ]
        for metric in _metrics(results)
    ]
    primary = _precise(first.metric)
    rows.append(
        [
            Cell(f"{primary.label} on validation"),
            *(_figure(primary, result.metrics["validation"]) for result in results),
            *(Cell("–", number=True) for _ in order),
        ]
    )
    tests = " ".join(filter(None, (mcnemar(result.metrics) for result in results)))
    return Table(dataset, header, rows, tests)


def _precise(metric: Metric) -> Metric:
    """Show shares with the two decimals of a percent in which publications state them."""
    return replace(metric, digits=2) if metric.percent else metric


def _cost(metric: Metric, scores: Mapping[str, float]) -> float:
    return metric.cost(scores) if metric.name in scores else float("inf")


def _figure(metric: Metric, scores: Mapping[str, float], spread: Mapping[str, float] | None = None) -> Cell:
    if metric.name not in scores:
        return Cell("–", number=True)
    return Cell(formatting.value(metric, scores[metric.name], (spread or {}).get(metric.name)), number=True)


def _metrics(results: Sequence[Result]) -> list[Metric]:
    """Return the metrics that any experiment or baseline has: the primary one first, those of single horizons last."""
    task, primary = results[0].task, results[0].metric
    scored = [result.metrics["test"] for result in results] + [*results[0].metrics["baselines"].values()]
    names = dict.fromkeys(name for scores in scored for name in scores)
    shown = [name for name in names if not AT_HORIZON.search(name) or name.startswith(f"{SHOWN_AT_HORIZONS}_h")]

    def place(name: str) -> tuple[bool, int]:
        horizon = AT_HORIZON.search(name)
        return name != primary.name, int(horizon[1]) if horizon else 0

    return [_precise(task.metric(name)) for name in sorted(shown, key=place)]
