"""Render the pages of the report as HTML with pictures inside, that opens from disk, with every text escaped.

index.html and textbook.html list experiments. Each data set, study and tuning has a page of its own, one folder below.
Scripts add search, sorting and the way to the next page; without them everything is still there.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.encoding.records import SPLITS
from pipeline.reporting import formatting, listing, wording
from pipeline.reporting.elements import Element, Table
from pipeline.reporting.report_data import ReportData, Result

TEMPLATES = Path(__file__).with_name("templates")
WITHOUT_THEM = "`python -m pipeline prune` and `dvc repro -P` make it without them"
MAIN, TEXTBOOK = "index.html", "textbook.html"  # files in reports/


@dataclass(frozen=True)
class Link:
    """A page that an index page links to. `address`: seen from there. `said`: what it shows, in a sentence."""

    address: str
    title: str
    said: str = ""


def dataset(data: ReportData, elements: Sequence[Element], *, textbook: bool = False) -> str:
    """Render the page of a data set. textbook: whether its index page is that of the textbook's protocols."""
    return page(
        "dataset.html",
        address=listing.address(data.dataset),
        index=TEXTBOOK if textbook else MAIN,
        title=data.dataset,
        subtitle=data.task.title,
        synthetic=data.facts["edition"] == "synthetic",
        story=[wording.story(data)],
        elements=elements,
        facts=data.facts,
        card=data.facts.get("card"),
        splits=SPLITS,
        examples=data.encoded.examples,
        flaws=data.facts.get("flaws", ()),
        counts=numbers(data.facts),
    )


def index(
    results: Sequence[Result],
    *,
    overview: Sequence[Element] = (),
    champions: bool = False,
    further: Sequence[Link] = (),
    textbook: Table | None = None,
    link: str | None = None,
    outdated: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Render an index page.

    overview: pictures and tables over all data sets. champions: whether the gate has left its page. further: the pages
    of studies and tunings. textbook: from textbook.table(), if the page has it. link: the file name of the other index
    page. outdated: experiments by data set that its page shows although their rows were removed.
    """
    synthetic = {result.metrics["dataset"]: result.metrics["edition"] == "synthetic" for result in results}
    return render(
        "index.html",
        title="Recurrent networks side by side" if textbook is None else "The textbook’s protocols",
        synthetic=any(synthetic.values()),
        synthetic_but=_but(synthetic),
        findings=wording.findings(results),
        table=listing.table(results),
        textbook=textbook and _plain(textbook, covered=all(synthetic.values())),
        overview=overview,
        champions=champions,
        further=further,
        link=link,
        outdated={name: names for name, names in (outdated or {}).items() if names},
        without_them=WITHOUT_THEM,
    )


def navigation(links: Sequence[Link]) -> str:
    """Return the script by which each page finds the previous and the next one. links: all pages in their order."""
    return render("navigation.js", pages=[[link.address, link.title] for link in links])


def _but(synthetic: Mapping[str, bool]) -> str:
    """Say which data sets the banner is about, unless it is about all. synthetic: by data set."""
    those, others = ([name for name in synthetic if synthetic[name] is kind] for kind in (True, False))
    if not those or not others:
        return ""
    if len(others) <= len(those):
        return f"This does not hold for {_listed(others)}: published data."
    return f"This holds for {_listed(those)} alone."


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _plain(table: Table, *, covered: bool) -> Table:
    """Return the table without its labels, if the banner covers all of it."""
    if not covered:
        return table
    return replace(table, rows=[[replace(cell, badge="") for cell in row] for row in table.rows])


def numbers(facts: Mapping[str, Any]) -> dict[str, int]:
    """Return the counts from reading and preparing the data, by their names in words."""
    counts = {**{k: v for k, v in facts.items() if type(v) is int}, **facts.get("findings", {})}
    return {formatting.phrase(name): value for name, value in counts.items()}


def page(template: str = "page.html", **values: Any) -> str:
    """Render a page below an index page.

    address: its own, seen from the index page. title, subtitle, synthetic. story: sentences below its heading.
    elements: what it shows.
    """
    return render(template, **{"index": MAIN, **values})


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
    environment.filters |= {"uri": data_uri, "count": formatting.count, "phrase": formatting.phrase}
    return environment.get_template(template).render(**values)


def data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
