"""Sections and the index as HTML: self-contained, without scripts, every text escaped."""

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
from pipeline.reporting.tables import badge, interval, overall, ranked

TEMPLATES = Path(__file__).with_name("templates")


def section(data: ReportData, elements: Sequence[Element]) -> str:
    """A data set's part of the page, its pictures inside."""
    return _render(
        "section.html",
        dataset=data.dataset,
        facts=data.facts,
        task=data.task.title,
        card=data.facts.get("card"),
        labels=sorted({label for row in data.experiments if (label := badge(row.metrics))}),
        splits=SPLITS,
        examples=data.encoded.examples,
        flaws=data.facts.get("flaws", ()),
        counts=numbers(data.facts),
        story=story(data),
        elements=elements,
    )


def index(results: Sequence[Result], chapters: Table, sections: Mapping[str, str]) -> str:
    """The whole page. sections: HTML by data set, from section()."""
    return _render(
        "index.html",
        sample=any(result.metrics["edition"] == "synthetic" for result in results),
        all_sample=all(result.metrics["edition"] == "synthetic" for result in results),
        table=overall(results),
        chapters=chapters,
        tally=tally(results),
        sections={name: Markup(html) for name, html in sections.items()},
    )


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """What `dvc metrics` and `dvc exp show` print, by experiment; no skill over an exact baseline."""
    return {row["experiment"]: {k: v for k, v in _compact(row).items() if v is not None} for row in rows}


def _compact(row: Mapping[str, Any]) -> dict[str, Any]:
    against = row["against_baseline"]
    return {
        "score": against["score"],
        "baseline": against["baseline_score"],
        "skill": against["skill"],
        "parameters": row["parameters"],
        "train_seconds": row["train_seconds"],
    }


def tally(results: Sequence[Result]) -> str:
    """One sentence over all experiments."""
    found = Counter(against_baseline(result).verdict for result in results)
    named = ((BETTER, "better"), (WORSE, "not better"), (UNCLEAR, "not clearly different"), ("", "without an interval"))
    parts = [f"{found[verdict]} {words}" for verdict, words in named if found[verdict]]
    noun = "experiment" if len(results) == 1 else "experiments"
    return f"{len(results)} {noun} against the best naive baseline on the same test data: {', '.join(parts)}."


def story(data: ReportData) -> str:
    """The best experiment and what it is measured against, in one sentence."""
    best = next(name for name, is_ours in ranked(data) if is_ours)
    result = next(row.result for row in data.experiments if row.name == best)
    metric, against, comparison = result.metric, result.against, against_baseline(result)
    cell = result.metrics["cell"]
    ahead = "" if len(data.experiments) == 1 else f"The best of {len(data.experiments)} experiments is "
    ours, theirs = (formatting.value(metric, against[key]) for key in ("score", "baseline_score"))
    return (
        f"{ahead}{best} ({formatting.CELLS.get(cell, cell)}): {metric.label} {ours}; the best baseline, "
        f"{against['baseline']}, {theirs}. {_sentence(comparison.verdict)}: {interval(comparison)}."
    )


def _sentence(verdict: str) -> str:
    return verdict.capitalize() if verdict else "No interval"


def numbers(facts: Mapping[str, Any]) -> dict[str, int]:
    """What was counted while reading and preparing, by its name in words."""
    found = {**{k: v for k, v in facts.items() if type(v) is int}, **facts.get("findings", {})}
    return {formatting.phrase(name): value for name, value in found.items()}


def _render(template: str, **values: Any) -> str:
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
