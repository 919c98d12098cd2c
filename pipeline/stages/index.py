"""index: one page over all data sets, and the numbers that DVC's tables print."""

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
    printed = textbook.table({result.metrics["experiment"]: result for result in results})
    artifacts.save_text(project.index, pages.index(results, printed, sections))
    artifacts.save_text(project.chapters, tables.markdown(printed))
    _send(project)
    print(f"reports/index.html: {len(rows)} experiments on {len(names)} data sets")


def _send(project: Project) -> None:
    """What the stages left for MLflow. A store that cannot be reached costs a line, never the report."""
    try:
        sync(project)
    except UserError as error:
        print(f"tracking: {error}\n`python -m pipeline sync` sends them later", file=sys.stderr)


def _section(project: Project, dataset: str) -> str:
    try:
        return project.section(dataset).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{project.section(dataset)}: not found; `dvc repro report@{dataset}` makes it") from None
