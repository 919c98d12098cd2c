"""report@<dataset>: compare the experiments on a data set, in pictures, tables and a page."""

from collections.abc import Collection, Sequence

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.files import TEXTBOOK
from pipeline.config.schema.values import named
from pipeline.integrity import checksums
from pipeline.reporting import comparison, mlflow_pages, pages, report_data, sections, tables
from pipeline.reporting.elements import Picture
from pipeline.reporting.report_data import ReportData
from pipeline.stages import parameters
from pipeline.tasks import task_named
from pipeline.tracking import build
from pipeline.tracking.delivery import spool, waiting


def run(project: Project, name: str) -> None:
    """Write the report of the data set `name`, and leave notes for MLflow."""
    params = parameters(project)
    row = named(params.datasets, name, "datasets")
    experiments = params.experiments_on(name)
    inputs = [project.prepared(name), project.baselines(name)]
    checksums.check(*inputs, *(project.predictions(name, experiment) for experiment in experiments))
    data = report_data.load(project, task_named(row.task), name, experiments)
    pairs = comparison.pairs(data)
    elements = sections.elements(data, pairs)
    textbook = params.files.file_of("datasets", name) == TEXTBOOK
    with artifacts.new_folder(project.report(name)) as fresh:
        for picture in (e for e in elements if isinstance(e, Picture)):
            artifacts.save_bytes(fresh / f"{picture.name}.png", picture.png)
        artifacts.save_text(fresh / "table.md", sections.markdown(data, elements))
        artifacts.save_text(fresh / "index.html", pages.dataset(data, elements, textbook=textbook))
    with artifacts.new_folder(project.section(name, textbook=textbook), listed=True) as fresh:
        artifacts.save_json(fresh / "metrics.json", {row.name: row.metrics for row in data.experiments})
    protocols = {other.protocol for other in params.datasets.values() if other.source == row.source}
    _leave_for_mlflow(project, data, pairs, protocols)
    noun = "experiment" if len(experiments) == 1 else "experiments"
    print(f"{name}: reports/{name}/index.html, {len(experiments)} {noun}")
    print(waiting(project))


def _leave_for_mlflow(
    project: Project, data: ReportData, pairs: Sequence[comparison.Pair], protocols: Collection[str]
) -> None:
    """Spool a note for each run, and a run that groups and compares them."""
    folder, metrics = project.report(data.dataset), {e.name: e.metrics for e in data.experiments}
    for turn, experiment in enumerate(data.experiments):
        samples = project.predictions(data.dataset, experiment.name) / "samples.json"
        tags = {**mlflow_pages.tags(experiment.result), **mlflow_pages.colour(turn)}
        run = build.Run.of(experiment.metrics["run"])
        journal = build.report(run, folder, samples, tags, mlflow_pages.run(data, experiment))
        journal.experiment(mlflow_pages.source(data, protocols), build.views(data.dataset, protocols))
        spool(journal, project)
    if len(metrics) > 1:
        best_first = [metrics[name] for name, is_ours in tables.ranked(data) if is_ours]
        best = next(experiment.result for experiment in data.experiments if experiment.metrics is best_first[0])
        key = build.comparison_key(data.dataset, best_first)
        note = mlflow_pages.comparison(data, pairs, key)
        spool(build.comparison(key, best_first, folder, mlflow_pages.tags(best), note), project)
