"""index [textbook]: one page over all data sets of a file of settings, and the pages of studies and tunings."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.files import MAIN, TEXTBOOK
from pipeline.config.schema.params import Params
from pipeline.errors import DataError, UserError
from pipeline.integrity import checksums
from pipeline.reporting import listing, overview, pages, tables
from pipeline.reporting import textbook as printed
from pipeline.reporting.elements import Element
from pipeline.reporting.pages import Link
from pipeline.reporting.report_data import Result
from pipeline.stages import parameters
from pipeline.studies.answer import ranks
from pipeline.tasks import primary_metrics, task_named
from pipeline.tracking import plots
from pipeline.tracking.delivery import sync
from pipeline.tracking.live import mark_killed

Results = Mapping[str, Sequence[Result]]  # by data set


def run(project: Project, page: str | None = None) -> None:
    """page: None for the data sets of params.yaml, "textbook" for those of textbook/params.yaml."""
    params = parameters(project)
    if page is None:
        _main(project, params)
    else:
        _textbook(project, params)
    plots.write(project, params, primary_metrics())
    send(project)


def _main(project: Project, params: Params) -> None:
    results = _results(project, params, params.datasets_of(MAIN), textbook=False)
    shown = [result for rows in results.values() for result in rows]
    further = _outcomes(project, params)
    page = pages.index(
        shown,
        overview=_overview(shown),
        champions=overview.champions_page(project).is_file(),  # of the gate, not of DVC
        further=further,
        link=project.textbook_index.name if params.datasets_of(TEXTBOOK) else None,
        outdated=_outdated(project, params, results, textbook=False),
    )
    _save(project.index, page, results, further)


def _textbook(project: Project, params: Params) -> None:
    """The page of the textbook's protocols also shows held-out experiments: those of params.yaml."""
    held_out = _results(project, params, params.datasets_of(MAIN), textbook=False)
    results = _results(project, params, params.datasets_of(TEXTBOOK), textbook=True)
    shown = [result for rows in results.values() for result in rows]
    both = [*shown, *(result for rows in held_out.values() for result in rows)]
    table = printed.table({result.metrics["experiment"]: result for result in both})
    outdated = _outdated(project, params, results, textbook=True)
    page = pages.index(shown, overview=_overview(shown), textbook=table, link=project.index.name, outdated=outdated)
    _save(project.textbook_index, page, results)
    artifacts.save_text(project.textbook_index.with_suffix(".md"), tables.markdown(table))


def _overview(shown: Sequence[Result]) -> list[Element]:
    return [element for element in (overview.cost(shown), overview.matrix(shown)) if element is not None]


def _save(path: Path, page: str, results: Results, further: Sequence[Link] = ()) -> None:
    """Save an index page, and next to it the order of the pages that it links to.

    They read it when they are opened, so that a new data set makes no other page again.
    """
    links = [*(Link(listing.address(dataset), dataset) for dataset in results), *further]
    artifacts.save_text(path, page)
    artifacts.save_text(path.with_suffix(".js"), pages.navigation(links))
    experiments = sum(len(rows) for rows in results.values())
    print(f"reports/{path.name}: {experiments} experiments on {len(results)} data sets")


def _results(project: Project, params: Params, datasets: Sequence[str], *, textbook: bool) -> Results:
    """What `report` left, in the order of the file."""
    results = {}
    for dataset in datasets:
        task = task_named(params.datasets[dataset].task)
        path = project.section(dataset, textbook=textbook) / "metrics.json"
        if not path.is_file():
            raise DataError(f"{path.parent}: not found; run `dvc repro {params.stage('report', dataset)}` to make it")
        checksums.check(path.parent)
        metrics: dict[str, Any] = artifacts.load_json(path)
        results[dataset] = [Result(metrics[name], task) for name in params.experiments_on(dataset) if name in metrics]
    return results


def _outdated(project: Project, params: Params, datasets: Iterable[str], *, textbook: bool) -> dict[str, list[str]]:
    """Return {data set: removed experiments that its page still shows}.

    DVC makes a page again when a result of one of its experiments is new, changed or deleted.
    """
    outdated = {}
    for dataset in datasets:
        there = artifacts.load_json(project.section(dataset, textbook=textbook) / "metrics.json")
        outdated[dataset] = [name for name in there if name not in params.experiments_on(dataset)]
    names = [name for gone in outdated.values() for name in gone]
    if names:
        print(f"The report still shows {', '.join(names)}, without a row; {pages.WITHOUT_THEM}", file=sys.stderr)
    return outdated


def _outcomes(project: Project, params: Params) -> list[Link]:
    """Write the pages of studies and tunings, and return links to them."""
    with artifacts.new_folder(project.outcome_pages) as fresh:
        made = [*_studies(project, params), *_tunings(project, params)]
        for link, html in made:
            artifacts.save_text(fresh / Path(link.address).name, html)
    return [link for link, _ in made]


def _studies(project: Project, params: Params) -> Iterator[tuple[Link, str]]:
    """The pages of the studies. Those that vary the same settings on several data sets are ranked together."""
    answers = {name: _outcome(project, "study", name, "answer.json") for name in params.studies}
    if not answers:
        return
    from pipeline.reporting import study  # draws, so it imports matplotlib

    for name, answer in answers.items():
        alike = {one["dataset"]: one for one in answers.values() if _question(one) == _question(answer)}
        ranked = ranks(alike, answer["vary"]) if len(alike) > 1 else None
        metric = task_named(params.experiments[answer["experiment"]].task).primary_metric
        link = Link(f"pages/study-{name}.html", f"study {name}", answer["verdict"])
        yield link, study.page(name, answer, metric, ranked, address=link.address)


def _tunings(project: Project, params: Params) -> Iterator[tuple[Link, str]]:
    """The pages of the tunings."""
    found = {name: _outcome(project, "tuning", name, "tuning.json") for name in params.tunings}
    if not found:
        return
    from pipeline.reporting import tuning  # draws, so it imports matplotlib

    for name, one in found.items():
        metric = task_named(one["task"]).monitor
        link = Link(f"pages/tuning-{name}.html", f"tuning {name}", tuning.verdict(one, metric))
        yield link, tuning.page(one, metric, address=link.address)


def _outcome(project: Project, kind: str, name: str, file: str) -> Any:
    folder = project.outcome_section(kind, name)
    if not folder.is_dir():
        stage = {"study": "study", "tuning": "tune"}[kind]
        raise DataError(f"{folder}: not found; run `dvc repro {stage}@{name}` to make it")
    checksums.check(folder)
    return artifacts.load_json(folder / file)


def _question(answer: Mapping[str, Any]) -> tuple[Any, ...]:
    arms = sorted(str([arm["settings"][setting] for setting in answer["vary"]]) for arm in answer["arms"])
    return answer["vary"], answer["match"], arms


def send(project: Project) -> None:
    """Send what the stages left for MLflow. An unreachable store causes a warning, and never costs the report."""
    mark_killed(project)
    try:
        sync(project)
    except UserError as error:
        print(f"tracking: {error}\nrun `python -m pipeline sync` to send them later", file=sys.stderr)
