"""Write the cards of registered models: what one is, its score, its limits, how to ask it, the licence of its data."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.encoding.records import SPLITS
from pipeline.evaluation.task import Task
from pipeline.reporting import formatting, mlflow_pages, tables
from pipeline.reporting.comparison import BETTER, against_baseline
from pipeline.reporting.report_data import Result

PORT = 5001
MAX_CARD = 5000  # characters of a description in MLflow


def of_version(uri: str, result: Result, source: Mapping[str, Any] | None, gate: str) -> str:
    """Return the card of a version, in Markdown.

    uri: models:/<name>/<version>. source: `title`, `licence` and `homepage` of a published source, None for own data.
    gate: what the gate decided, and when.
    """
    metrics = result.metrics
    cell = formatting.CELLS.get(metrics["cell"], metrics["cell"])
    counts = ", ".join(f"{formatting.count(metrics['examples'][split])} {split}" for split in SPLITS)
    origin = f"{source['title']} ([homepage]({source['homepage']}))" if source else "your own data"
    rows = {
        "what": f"{cell} for {result.task.title}, experiment {metrics['experiment']}: {mlflow_pages.cost(metrics)}",
        "data": f"{origin}, data set {metrics['dataset']}, {metrics['edition']} edition; examples: {counts}",
        "limits": " ".join(_limits(result)),
        "gate": gate,
        "licence": source["licence"] if source else "that of your own data",
        "origin": f"`python -m pipeline trace {uri}`",
    }
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {_flat(text)} |" for name, text in rows.items())])
    parts = [
        mlflow_pages.headline(result),
        mlflow_pages.warning(metrics),
        table,
        f"To ask it:\n\n{asking(uri, result.task)}",
    ]
    return "\n\n".join(filter(None, parts))[:MAX_CARD]


def of_model(model: str, champion: int | None, version: str) -> str:
    """Return the card of a registered model. version: the card of its champion, or of the last candidate."""
    if champion is None:
        first = f"**No version of {model} is champion yet.** The last candidate:"
    else:
        first = f"**Version {champion} answers** as `models:/{model}@champion`. Every version has its own card."
    return f"{first}\n\n{version}"[:MAX_CARD]


def request(task: Task) -> dict[str, Any]:
    """Return a request that every model of the task can answer."""
    return {"inputs": [task.serving_example.inputs[-1]]}  # the last one needs no covariates


def asking(uri: str, task: Task) -> str:
    """Return the commands that serve the model and ask it, as Markdown."""
    body = shlex.quote(json.dumps(request(task)))
    where = f"http://127.0.0.1:{PORT}/invocations -H 'Content-Type: application/json'"
    return f"    python -m pipeline serve {uri} --port {PORT}\n    curl {where} -d {body}"


def _limits(result: Result) -> Iterator[str]:
    metrics = result.metrics
    tested = f"{formatting.count(metrics['examples']['test'])} test examples of {metrics['dataset']}"
    yield f"Measured on the {tested} alone: other input may get worse answers."
    if metrics["edition"] == "synthetic":
        yield "Trained on synthetic data: not for use."
    if against_baseline(result).verdict != BETTER:
        yield f"Not shown to be better than {result.against['baseline']}, which is cheaper."
    if several := tables.networks(metrics):
        yield f"The score is the mean of {several}; the first network answers."


def _flat(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
