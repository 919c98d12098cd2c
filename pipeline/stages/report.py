"""report@<dataset>: the experiments on a data set side by side: figures, a table, and its section of the index page."""

from collections.abc import Sequence

from pipeline import artifacts, runs
from pipeline.artifacts import Project
from pipeline.reporting import material, notes, pages, sections, tables
from pipeline.reporting.elements import Element, Picture
from pipeline.reporting.material import Material
from pipeline.rows.values import named
from pipeline.stages import parameters
from pipeline.tracking import spool


def run(project: Project, name: str) -> None:
    params = parameters(project)
    named(params.datasets, name, "datasets")
    experiments = params.experiments_on(name)
    found = material.load(project, name, experiments)
    elements = sections.elements(found)
    with artifacts.new_folder(project.report(name)) as fresh:
        for picture in (e for e in elements if isinstance(e, Picture)):
            artifacts.save_bytes(fresh / f"{picture.name}.png", picture.png)
        artifacts.save_text(fresh / "table.md", sections.markdown(found, elements))
    artifacts.save_text(project.section(name), pages.section(found, elements))
    _tell(project, found, elements)
    print(f"{name}: reports/{name}, {len(experiments)} experiments")


def _tell(project: Project, found: Material, elements: Sequence[Element]) -> None:
    """What MLflow is told: a note for each run, and one run above them that compares them."""
    folder, metrics = project.report(found.dataset), {row.name: row.metrics for row in found.experiments}
    for turn, row in enumerate(found.experiments):
        samples, identity = project.predictions(found.dataset, row.name) / "samples.json", row.metrics["run"]
        tags = {**notes.tags(row.metrics), **notes.colour(turn)}
        told = runs.report(runs.Run.of(identity), folder, samples, tags, notes.run(found, row))
        told.experiment(notes.source(found), notes.VIEW_NAME, runs.view())
        spool(told, project)
    if len(metrics) > 1:
        best_first = [metrics[name] for name, is_ours in tables.ranked(found) if is_ours]
        key = runs.comparison_key(found.dataset, best_first)
        note = notes.comparison(found, elements, key)
        spool(runs.comparison(key, best_first, folder, notes.tags(best_first[0]), note), project)
