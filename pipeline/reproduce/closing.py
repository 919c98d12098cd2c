"""The end of `make repro`: the best network of each task, and what to do next."""

from collections.abc import Sequence

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.files import MAIN
from pipeline.config.schema.params import Params
from pipeline.reporting import formatting, wording
from pipeline.reporting.comparison import against_baseline
from pipeline.reporting.report_data import Result
from pipeline.tasks import task_named

HEADER = ("task", "best network", "score", "best baseline", "score", "optimum", "verdict")
LONGEST = 30  # characters of a baseline's name


def closing(project: Project, params: Params) -> list[str]:
    """The lines after a run: a table, a count of the verdicts, and the next commands."""
    results = _results(project, params)
    table = formatting.aligned([HEADER, *(_row(result) for result in best_of_tasks(results))]) if results else []
    tally = [wording.tally(results), ""] if results else []
    chapters = ", and reports/textbook.html" if project.textbook_index.is_file() else ""
    return [
        *table,
        *tally,
        f"Report:      open reports/index.html{chapters} in a browser",
        "Experiments: make ui",
    ]


def _results(project: Project, params: Params) -> list[Result]:
    """The experiments of params.yaml that have been evaluated."""
    found = []
    for dataset in params.datasets_of(MAIN):
        task = task_named(params.datasets[dataset].task)
        for name in params.experiments_on(dataset):
            path = project.metrics(dataset, name)
            if path.is_file():
                found.append(Result(artifacts.load_json(path), task))
    return found


def best_of_tasks(results: Sequence[Result]) -> list[Result]:
    """The experiment of each task that is ahead of its best baseline by most.

    Scores on different data do not compare; the gain over the baseline, as a share of its score, does so better.
    """
    best: dict[str, Result] = {}
    for result in results:
        title = result.task.title
        if title not in best or _gain(result) > _gain(best[title]):
            best[title] = result
    return list(best.values())


def _gain(result: Result) -> float:
    skill = result.against["skill"]
    return float("-inf") if skill is None else float(skill)


def _row(result: Result) -> tuple[str, ...]:
    metric, against, optimum = result.metric, result.against, result.against_optimum
    baseline = against["baseline"]
    return (
        result.task.title,
        str(result.metrics["experiment"]),
        f"{formatting.value(metric, against['score'])} {metric.label}",
        baseline if len(baseline) <= LONGEST else f"{baseline[: LONGEST - 1]}…",
        formatting.value(metric, against["baseline_score"]),
        "–" if optimum is None else formatting.value(metric, optimum["score"]),
        against_baseline(result).verdict or "no interval",
    )
