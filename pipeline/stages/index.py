"""index: write the report's index page over all data sets, and the numbers that DVC's tables print."""

import sys

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.errors import DataError, UserError
from pipeline.reporting import pages, report_data, tables, textbook
from pipeline.reporting.report_data import Result
from pipeline.stages import parameters
from pipeline.tasks import task_named
from pipeline.tracking.delivery import sync


def run(project: Project) -> None:
    """Write the index page, the table of the textbook and the summary, and send the results to MLflow."""
    params = parameters(project)
    names = {dataset: params.experiments_on(dataset) for dataset in params.datasets}
    results = [
        Result(report_data.load_metrics(project, dataset, name), task_named(params.datasets[dataset].task))
        for dataset, experiments in names.items()
        for name in experiments
    ]
    rows = [result.metrics for result in results]
    sections = {dataset: _section(project, dataset) for dataset in names}
    artifacts.save_json(project.summary, pages.summary(rows))
    of_textbook = textbook.table({result.metrics["experiment"]: result for result in results})
    artifacts.save_text(project.index, pages.index(results, of_textbook, sections))
    artifacts.save_text(project.chapters, tables.markdown(of_textbook))
    _send(project)
    print(f"reports/index.html: {len(rows)} experiments on {len(names)} data sets")


def _send(project: Project) -> None:
    """Send what the stages left for MLflow. An unreachable store causes a warning, and never costs the report."""
    try:
        sync(project)
    except UserError as error:
        print(f"tracking: {error}\nrun `python -m pipeline sync` to send them later", file=sys.stderr)


def _section(project: Project, dataset: str) -> str:
    try:
        return project.section(dataset).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{project.section(dataset)}: not found; run `dvc repro report@{dataset}` to make it") from None
