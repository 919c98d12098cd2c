"""index: one page over all data sets, and the numbers that DVC's tables print."""

import sys

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.errors import DataError, UserError
from pipeline.reporting import chapters, pages, report_data, tables
from pipeline.stages import parameters
from pipeline.tracking.delivery import sync


def run(project: Project) -> None:
    params = parameters(project)
    names = {dataset: params.experiments_on(dataset) for dataset in params.datasets}
    rows = [report_data.load_metrics(project, dataset, name) for dataset, found in names.items() for name in found]
    sections = {dataset: _section(project, dataset) for dataset in names}
    artifacts.save_json(project.summary, pages.summary(rows))
    printed = chapters.table({row["experiment"]: row for row in rows})
    artifacts.save_text(project.index, pages.index(rows, printed, sections))
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
