"""download@<source>: download and verify the published files, or generate small ones in the synthetic edition.

import@<name> copies the user's own file, together with its row of params.yaml. The row says how to read the file, so a
change of the row reruns the stages that depend on the file.
"""

import hashlib
import os
import re
import shutil
from pathlib import Path

from pipeline import artifacts, sources
from pipeline.artifacts import Project
from pipeline.config.own_files import selected
from pipeline.config.schema.values import named
from pipeline.download.fetch import fetch
from pipeline.integrity import checksums
from pipeline.sources import load_source
from pipeline.sources.card import pinned
from pipeline.stages import parameters
from pipeline.synthesis import optimum

MANIFEST = "download.json"
FOLDER = Path(sources.__file__).parent
OWN_IMPORTS = re.compile(r"^from pipeline\.sources\.(\w+) import", re.MULTILINE)


def run(project: Project, name: str) -> None:
    """Save the raw files of the source `name`, and a manifest. Raises DownloadError."""
    params = parameters(project)
    row = named(params.sources, name, "sources")
    source = load_source(row.reader)
    card = pinned(name, source.CARD, row.pins)
    folder = project.raw(name)
    if params.edition == "published" and not source.GENERATED:
        folder.mkdir(parents=True, exist_ok=True)
        for path in (folder / checksums.LIST, folder / MANIFEST, folder / optimum.FILE, project.reader(name)):
            path.unlink(missing_ok=True)
        files = fetch(row.reader, card, folder, os.environ.get("PIPELINE_MIRROR"))
        edition = "published"
        artifacts.save_json(folder / MANIFEST, {"edition": edition, "source": name, "files": files})
        artifacts.save_text(folder / checksums.LIST, checksums.listed(folder, folder))
    else:
        edition = "published" if source.GENERATED else "synthetic"
        with artifacts.new_folder(folder, listed=True) as fresh:
            source.synthesize(fresh, params.seed)
            artifacts.save_json(fresh / MANIFEST, {"edition": edition, "source": name, "files": []})
    artifacts.save_json(project.reader(name), reader_hashes(row.reader))
    print(f"{name}: {edition} edition in data/raw/{name}")


def run_import(project: Project, name: str) -> None:
    """Copy the file of `own.<name>`, or the files of its folder, and save its row of params.yaml next to it."""
    row = named(parameters(project).own, name, "own")
    with artifacts.new_folder(project.raw(name), listed=True) as fresh:
        given = project.root / row.path
        for file in selected(given, row):
            copy = fresh / given.name / file.path.name if given.is_dir() else fresh / given.name
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(file.path, copy)
        artifacts.save_json(fresh / f"{given.name}.row.json", row.model_dump(mode="json"))
    artifacts.save_json(project.reader(name), reader_hashes(row.reader))
    print(f"{name}: {row.path} in data/raw/{name}")


def reader_hashes(reader: str) -> dict[str, str]:
    """Return {module: sha256} of the modules that read a source.

    `preprocess` depends on them through a file: a data set's row, which DVC reads, names the source and not its reader.
    """
    modules = [reader]
    for module in modules:  # which grows
        text = (FOLDER / f"{module}.py").read_text(encoding="utf-8")
        modules += [name for name in OWN_IMPORTS.findall(text) if name not in modules]
    return {module: hashlib.sha256((FOLDER / f"{module}.py").read_bytes()).hexdigest() for module in sorted(modules)}
