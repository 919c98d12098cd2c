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
from pipeline.reporting.report_data import Material
from pipeline.reporting.tables import badge, interval, overall, ranked

TEMPLATES = Path(__file__).with_name("templates")


def section(material: Material, elements: Sequence[Element]) -> str:
    """A data set's part of the page, its pictures inside."""
    return _render(
        "section.html",
        dataset=material.dataset,
        facts=material.facts,
        task=formatting.TASKS.get(material.facts["task"], material.facts["task"]),
        card=material.facts.get("card"),
        labels=sorted({label for row in material.experiments if (label := badge(row.metrics))}),
        splits=SPLITS,
        examples=material.encoded.examples,
        flaws=material.facts.get("flaws", ()),
        counts=numbers(material.facts),
        story=story(material),
        elements=elements,
    )


def index(rows: Sequence[Mapping[str, Any]], chapters: Table, sections: Mapping[str, str]) -> str:
    """The whole page. rows: the metrics of every experiment; sections: HTML by data set, from section()."""
    return _render(
        "index.html",
        sample=any(row["edition"] == "synthetic" for row in rows),
        all_sample=all(row["edition"] == "synthetic" for row in rows),
        table=overall(rows),
        chapters=chapters,
        tally=tally(rows),
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


def tally(rows: Sequence[Mapping[str, Any]]) -> str:
    """One sentence over all experiments."""
    found = Counter(against_baseline(row).verdict for row in rows)
    named = ((BETTER, "better"), (WORSE, "not better"), (UNCLEAR, "not clearly different"), ("", "without an interval"))
    parts = [f"{found[verdict]} {words}" for verdict, words in named if found[verdict]]
    noun = "experiment" if len(rows) == 1 else "experiments"
    return f"{len(rows)} {noun} against the best naive baseline on the same test data: {', '.join(parts)}."


def story(material: Material) -> str:
    """The best experiment and what it is measured against, in one sentence."""
    best = next(name for name, is_ours in ranked(material) if is_ours)
    metrics = next(row.metrics for row in material.experiments if row.name == best)
    against, comparison = metrics["against_baseline"], against_baseline(metrics)
    metric = against["metric"]
    ahead = "" if len(material.experiments) == 1 else f"The best of {len(material.experiments)} experiments is "
    return (
        f"{ahead}{best} ({formatting.CELLS.get(metrics['cell'], metrics['cell'])}): {formatting.label(metric)} "
        f"{formatting.value(metric, against['score'])}; the best baseline, {against['baseline']}, "
        f"{formatting.value(metric, against['baseline_score'])}. {_sentence(comparison.verdict)}: {interval(comparison)}."
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
