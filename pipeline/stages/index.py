"""index: one page over all data sets, and the numbers that DVC's tables print."""

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.errors import DataError
from pipeline.reporting import material, pages
from pipeline.stages import parameters


def run(project: Project) -> None:
    params = parameters(project)
    names = {dataset: found for dataset in params.datasets if (found := params.experiments_on(dataset))}
    rows = [material.load_metrics(project, dataset, name) for dataset, found in names.items() for name in found]
    sections = {dataset: _section(project, dataset) for dataset in names}
    artifacts.save_json(project.summary, pages.summary(rows))
    artifacts.save_text(project.index, pages.index(rows, sections))
    print(f"reports/index.html: {len(rows)} experiments on {len(names)} data sets")


def _section(project: Project, dataset: str) -> str:
    try:
        return project.section(dataset).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{project.section(dataset)}: not found; `dvc repro report@{dataset}` makes it") from None
