"""Render sections and the index page as self-contained HTML, without scripts, with every text escaped."""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.encoding.records import SPLITS
from pipeline.reporting import formatting
from pipeline.reporting.comparison import BETTER, UNCLEAR, WORSE, against_baseline
from pipeline.reporting.elements import Element, Table
from pipeline.reporting.report_data import ReportData, Result
from pipeline.reporting.tables import badge, interval, overall, ranked, way

TEMPLATES = Path(__file__).with_name("templates")
WITHOUT_THEM = "`python -m pipeline prune` and `dvc repro -P` make it without them"


def section(data: ReportData, elements: Sequence[Element]) -> str:
    """Render a data set's part of the page, with its pictures inside."""
    return render(
        "section.html",
        dataset=data.dataset,
        facts=data.facts,
        task=data.task.title,
        card=data.facts.get("card"),
        labels=sorted({label for experiment in data.experiments if (label := badge(experiment.metrics))}),
        splits=SPLITS,
        examples=data.encoded.examples,
        flaws=data.facts.get("flaws", ()),
        warnings=data.facts.get("warnings", ()),
        counts=numbers(data.facts),
        story=story(data),
        elements=elements,
    )


def index(
    results: Sequence[Result],
    sections: Mapping[str, str],
    further: Mapping[str, str] | None = None,
    *,
    textbook: Table | None = None,
    link: str | None = None,
    outdated: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Render an index page.

    sections: HTML by data set, from section(). further: HTML of studies and tunings by the ids of their sections.
    textbook: from textbook.table(), if the page has it. link: the file name of the other page.
    outdated: experiments by data set that its section shows although their rows were removed.
    """
    return render(
        "index.html",
        some_synthetic=any(result.metrics["edition"] == "synthetic" for result in results),
        all_synthetic=all(result.metrics["edition"] == "synthetic" for result in results),
        table=overall(results),
        textbook=textbook,
        link=link,
        tally=tally(results),
        sections={name: Markup(html) for name, html in sections.items()},
        further={name: Markup(html) for name, html in (further or {}).items()},
        outdated={name: names for name, names in (outdated or {}).items() if names},
        without_them=WITHOUT_THEM,
    )


def tally(results: Sequence[Result]) -> str:
    """Count the verdicts on all experiments, in one sentence."""
    verdicts = Counter(against_baseline(result).verdict for result in results)
    named = ((BETTER, "better"), (WORSE, "not better"), (UNCLEAR, "not clearly different"), ("", "without an interval"))
    parts = [f"{verdicts[verdict]} {words}" for verdict, words in named if verdicts[verdict]]
    noun = "experiment" if len(results) == 1 else "experiments"
    return f"{len(results)} {noun} compared with the best naive baseline on the same test data: {', '.join(parts)}."


def story(data: ReportData) -> str:
    """Return the best experiment, its best baseline and the verdict, in words."""
    best = next(name for name, is_ours in ranked(data) if is_ours)
    result = next(experiment.result for experiment in data.experiments if experiment.name == best)
    metric, against, comparison = result.metric, result.against, against_baseline(result)
    cell = result.metrics["cell"]
    ahead = "" if len(data.experiments) == 1 else f"Best of {len(data.experiments)} experiments: "
    ours, theirs = (formatting.value(metric, against[key]) for key in ("score", "baseline_score"))
    limit = result.against_optimum
    optimum = f" Best possible: {formatting.value(metric, limit['score'])}, {way(limit)}." if limit else ""
    return (
        f"{ahead}{best} ({formatting.CELLS.get(cell, cell)}), {metric.label} {ours}. "
        f"Best baseline: {against['baseline']}, {theirs}. {_sentence(comparison.verdict)}: {interval(comparison)}."
        f"{optimum}"
    )


def _sentence(verdict: str) -> str:
    return verdict.capitalize() if verdict else "No interval"


def numbers(facts: Mapping[str, Any]) -> dict[str, int]:
    """Return the counts from reading and preparing the data, by their names in words."""
    counts = {**{k: v for k, v in facts.items() if type(v) is int}, **facts.get("findings", {})}
    return {formatting.phrase(name): value for name, value in counts.items()}


def render(template: str, **values: Any) -> str:
    """Render a template of this package; every text is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"uri": data_uri, "count": formatting.count}
    return environment.get_template(template).render(**values)


def data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
