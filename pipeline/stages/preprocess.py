"""preprocess@<dataset>: the raw files read, split and encoded for a task."""

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.records import Encoded
from pipeline.rows import named
from pipeline.sources import load_own_reader, load_source
from pipeline.stages import parameters
from pipeline.stages.download import MANIFEST
from pipeline.tasks import load_task


def run(project: Project, name: str) -> None:
    params = parameters(project)
    row = named(params.datasets, name, "datasets")
    folder = project.raw(row.source)
    if row.source in params.own:
        edition, record = "full", load_own_reader(params.own[row.source].reader).read(folder)
        card = None
    else:
        edition = artifacts.load_json(folder / MANIFEST)["edition"]
        source = load_source(params.sources[row.source].reader)
        record, about = source.read(folder), source.CARD
        card = {key: getattr(about, key) for key in ("title", "about", "licence", "homepage")}
    encoded = load_task(row.task).encode(record, row, params.seed)
    facts = {"edition": edition, "dataset": name, "source": row.source, "task": row.task, "protocol": row.protocol}
    with artifacts.new_folder(project.prepared(name)) as fresh:
        artifacts.save_encoded(
            fresh,
            Encoded(encoded.arrays, encoded.encoder, encoded.examples, {**encoded.summary, **facts, "card": card}),
        )
    print(f"{name}: " + ", ".join(f"{count} {split}" for split, count in encoded.examples.items()))
