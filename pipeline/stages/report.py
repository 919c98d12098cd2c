"""report@<dataset>: the experiments on a data set side by side: figures, a table, and its section of the index page."""

from collections.abc import Sequence

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.schema.values import named
from pipeline.reporting import comparison, mlflow_pages, pages, report_data, sections, tables
from pipeline.reporting.elements import Picture
from pipeline.reporting.report_data import ReportData
from pipeline.stages import parameters
from pipeline.tasks import task_named
from pipeline.tracking import build
from pipeline.tracking.delivery import spool


def run(project: Project, name: str) -> None:
    params = parameters(project)
    row = named(params.datasets, name, "datasets")
    experiments = params.experiments_on(name)
    found = report_data.load(project, task_named(row.task), name, experiments)
    pairs = comparison.pairs(found)
    elements = sections.elements(found, pairs)
    with artifacts.new_folder(project.report(name)) as fresh:
        for picture in (e for e in elements if isinstance(e, Picture)):
            artifacts.save_bytes(fresh / f"{picture.name}.png", picture.png)
        artifacts.save_text(fresh / "table.md", sections.markdown(found, elements))
    artifacts.save_text(project.section(name), pages.section(found, elements))
    _tell(project, found, pairs)
    print(f"{name}: reports/{name}, {len(experiments)} experiments")


def _tell(project: Project, found: ReportData, pairs: Sequence[comparison.Pair]) -> None:
    """What MLflow is told: a note for each run, and one run above them that compares them."""
    folder, metrics = project.report(found.dataset), {row.name: row.metrics for row in found.experiments}
    for turn, row in enumerate(found.experiments):
        samples, identity = project.predictions(found.dataset, row.name) / "samples.json", row.metrics["run"]
        tags = {**mlflow_pages.tags(row.result), **mlflow_pages.colour(turn)}
        told = build.report(build.Run.of(identity), folder, samples, tags, mlflow_pages.run(found, row))
        told.experiment(mlflow_pages.source(found), mlflow_pages.VIEW_NAME, build.view())
        spool(told, project)
    if len(metrics) > 1:
        best_first = [metrics[name] for name, is_ours in tables.ranked(found) if is_ours]
        key = build.comparison_key(found.dataset, best_first)
        note = mlflow_pages.comparison(found, pairs, key)
        spool(
            build.comparison(
                key,
                best_first,
                folder,
                mlflow_pages.tags(next(row.result for row in found.experiments if row.metrics is best_first[0])),
                note,
            ),
            project,
        )
