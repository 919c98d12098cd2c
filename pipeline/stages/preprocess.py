"""preprocess@<dataset>: read the raw files, split the examples and encode them for a task."""

import re
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.schema.values import named
from pipeline.encoding.records import Encoded
from pipeline.errors import ConfigError
from pipeline.integrity import checksums
from pipeline.sources import load_own_reader, load_source
from pipeline.stages import parameters
from pipeline.stages.download import MANIFEST
from pipeline.tasks import task_named


def run(project: Project, name: str) -> None:
    """Save the prepared data set `name`. Raises ConfigError if the task cannot use the records of the source."""
    params = parameters(project)
    row = named(params.datasets, name, "datasets")
    folder = project.raw(row.source)
    checksums.check(folder)
    if row.source in params.own:
        own = params.own[row.source]
        edition, record = "published", load_own_reader(own.reader).read(folder, own)
        card = None
    else:
        edition = artifacts.load_json(folder / MANIFEST)["edition"]
        source = load_source(params.sources[row.source].reader)
        record = source.read(folder)
        card = {key: getattr(source.CARD, key) for key in ("title", "about", "licence", "homepage")}
    task = task_named(row.task)
    if not isinstance(record, task.record):
        raise ConfigError(
            f"datasets.{name}.task: {row.task} takes {_kind(task.record)}, but {row.source} holds {_kind(type(record))}"
        )
    encoded = task.prepare(record, row, params.seed)
    facts = {"edition": edition, "dataset": name, "source": row.source, "task": row.task, "protocol": row.protocol}
    with artifacts.new_folder(project.prepared(name), listed=True) as fresh:
        artifacts.save_encoded(
            fresh,
            Encoded(encoded.arrays, encoded.encoder, encoded.examples, {**encoded.summary, **facts, "card": card}),
        )
    print(f"{name}: " + ", ".join(f"{count} {split}" for split, count in encoded.examples.items()))
    for note in encoded.summary.get("notes", ()):
        print(f"{name}: {note}")
    for warning in encoded.summary.get("warnings", ()):
        print(f"{name}: warning: {warning}")


def _kind(record: Any) -> str:
    """Return the kind of a record in words: LabelledTexts are "labelled texts"."""
    return re.sub(r"(?<=[a-z])([A-Z])", r" \1", record.__name__).lower()
