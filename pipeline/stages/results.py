"""results: write docs/results.md from the results of a finished run, and from nothing else."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.files import MAIN, TEXTBOOK
from pipeline.config.schema.params import Params
from pipeline.errors import DataError
from pipeline.reporting import formatting, results, textbook
from pipeline.reporting.report_data import Result, load_metrics
from pipeline.stages import parameters
from pipeline.stages.prune import stale
from pipeline.tasks import task_named
from pipeline.tracking import one_commit
from pipeline.tracking.one_commit import RUN

PAGE = Path("docs") / "results.md"
STUDY, TUNING = "answer.json", "tuning.json"
UNKNOWN = "not recorded"
COMMIT = "mlflow.source.git.commit"
NOTED = {  # lines of the head, and what train wrote into run.json
    "processors": "processors",
    "memory": "memory",
    "Python": "python_version",
    "TensorFlow": "tensorflow_version",
    "Keras": "keras_version",
    "NumPy": "numpy_version",
}


@dataclass(frozen=True)
class Finished:
    """A finished run: the metrics file and run.json of each experiment, what studies and tunings found."""

    project: Project
    params: Params
    metrics: Mapping[str, Mapping[str, Any]]
    records: Mapping[str, Mapping[str, Any]]
    studies: Mapping[str, Mapping[str, Any]]
    tunings: Mapping[str, Mapping[str, Any]]


def run(project: Project, output: Path | None = None, seconds: int | None = None) -> None:
    """Write the page. output: where; None for docs/results.md, which is for the published edition alone.

    seconds: how long the run took that has just ended. Raises DataError if results are missing or outdated, are of
    removed rows, or depend on what is not committed; then the page stays as it was.
    """
    params = parameters(project)
    target = project.root / PAGE if output is None else output
    if not params.experiments:
        raise DataError(f"{MAIN} has no experiments; add one, and `{RUN[params.edition]}` makes its results")
    if params.edition == "synthetic" and target.resolve() == (project.root / PAGE).resolve():
        raise DataError(
            f"{PAGE} is for the published data, and {MAIN} has the synthetic edition; `make full` makes those results, "
            "and `python -m pipeline results --output reports/results.md` writes these"
        )
    _refuse_removed(project, params)
    commit = one_commit.commit_of_results(project, params.edition)
    finished = _finished(project, params)
    artifacts.save_text(target, _page(finished, _head(finished, commit, seconds)))
    print(f"{target}: {len(finished.metrics)} experiments, {params.edition} edition, commit {commit[:12]}")


def _finished(project: Project, params: Params) -> Finished:
    """Load the results of all rows."""
    metrics = {name: load_metrics(project, row.dataset, name) for name, row in params.experiments.items()}
    records = {name: artifacts.load_json(project.model(name) / "run.json") for name in params.experiments}
    studies = {name: artifacts.load_json(project.outcome("studies", name) / STUDY) for name in params.studies}
    tunings = {name: artifacts.load_json(project.outcome("tunings", name) / TUNING) for name in params.tunings}
    return Finished(project, params, metrics, records, studies, tunings)


def _refuse_removed(project: Project, params: Params) -> None:
    reports = project.root / "reports"
    removed = [path.relative_to(project.root).as_posix() for path in stale(project, params) if reports in path.parents]
    if removed:
        raise DataError(
            f"results of rows that are gone: {', '.join(removed)}; `python -m pipeline prune --yes` deletes them"
        )


def _page(finished: Finished, head: Mapping[str, str]) -> str:
    held_out, chapters = (_results(finished, file) for file in (MAIN, TEXTBOOK))
    every = [result for shown in [*held_out.values(), *chapters.values()] for result in shown]
    table = textbook.table({result.metrics["experiment"]: result for result in every})
    rows = finished.params.experiments
    studies = {n: (one, task_named(rows[one["experiment"]].task).primary_metric) for n, one in finished.studies.items()}
    tunings = {n: (one, task_named(one["task"]).monitor) for n, one in finished.tunings.items()}
    return results.page(head, held_out, chapters, table if chapters else None, studies, tunings)


def _results(finished: Finished, file: str) -> results.Results:
    params = finished.params
    return {
        dataset: [
            Result(finished.metrics[name], task_named(params.datasets[dataset].task))
            for name in params.experiments_on(dataset)
        ]
        for dataset in params.datasets_of(file)
    }


def _head(finished: Finished, commit: str, seconds: int | None) -> dict[str, str]:
    metrics, records = finished.metrics.values(), finished.records.values()
    others = sorted({str(record.get(COMMIT, UNKNOWN))[:12] for record in records} - {commit[:12]})
    also = f" (some trained on {', '.join(others)}, with the same code and settings)"
    return {
        "edition": finished.params.edition,
        "commit": commit + also * bool(others),
        "command": f"`{RUN[finished.params.edition]}`",
        "seed": _values(m["seed"] for m in metrics),
        **{line: _values(record.get(key, UNKNOWN) for record in records) for line, key in NOTED.items()},
        "training, all experiments": _duration(sum(m["train_seconds"] for m in metrics)),
        "the whole run": UNKNOWN if seconds is None or not _in(finished, seconds) else _duration(seconds),
    }


def _in(finished: Finished, seconds: int) -> bool:
    """Whether the run that has just ended made everything: all trainings and baselines began in its time."""
    began = time.time() - seconds
    baselines = (finished.project.baselines(m["dataset"]) / "metrics.json" for m in finished.metrics.values())
    started = all(record["start"] / 1000 >= began for record in finished.records.values())
    return started and all(path.stat().st_mtime >= began for path in baselines)


def _values(found: Iterable[Any]) -> str:
    return ", ".join(dict.fromkeys(str(value) for value in found))


def _duration(seconds: float) -> str:
    return f"{formatting.count(round(seconds))} s ({formatting.duration(seconds)})"
