"""download@<source>: the published files, verified, or their small look-alikes in the synthetic edition.

import@<name> does the same for the user's own file, and puts its row of params.yaml beside it: how the file is read is
part of what it says, and to read it in another way is to rerun what follows.
"""

import os
import shutil

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.schema.values import named
from pipeline.download.fetch import fetch
from pipeline.sources import load_source, optimum
from pipeline.sources.card import pinned
from pipeline.stages import parameters

MANIFEST = "download.json"


def run(project: Project, name: str) -> None:
    params = parameters(project)
    row = named(params.sources, name, "sources")
    source = load_source(row.reader)
    card = pinned(name, source.CARD, row.pins)
    folder = project.raw(name)
    if params.edition == "published" and not source.GENERATED:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in (MANIFEST, optimum.FILE):
            (folder / stale).unlink(missing_ok=True)
        files = fetch(row.reader, card, folder, os.environ.get("PIPELINE_MIRROR"))
        edition = "published"
    else:
        with artifacts.new_folder(folder) as fresh:
            source.synthesize(fresh, params.seed)
        files, edition = [], "published" if source.GENERATED else "synthetic"
    artifacts.save_json(folder / MANIFEST, {"edition": edition, "source": name, "files": files})
    print(f"{name}: {edition} edition in data/raw/{name}")


def run_import(project: Project, name: str) -> None:
    row = named(parameters(project).own, name, "own")
    with artifacts.new_folder(project.raw(name)) as fresh:
        file = (project.root / row.path).name
        shutil.copyfile(project.root / row.path, fresh / file)
        artifacts.save_json(fresh / f"{file}.row.json", row.model_dump(mode="json"))
    print(f"{name}: {row.path} in data/raw/{name}")
