"""results: write docs/results.md from the results of a finished run, and from nothing else."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.files import MAIN, TEXTBOOK
from pipeline.config.schema.params import Params
from pipeline.errors import DataError
from pipeline.integrity import checksums
from pipeline.reporting import formatting, results, textbook
from pipeline.reporting.report_data import Result, load_metrics
from pipeline.stages import parameters
from pipeline.stages.prune import stale
from pipeline.tasks import task_named
from pipeline.tracking import one_commit, provenance
from pipeline.tracking.one_commit import RUN

PAGE = Path("docs") / "results.md"
STUDY, TUNING = "answer.json", "tuning.json"
UNKNOWN = "not recorded"
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

    @property
    def edition(self) -> str:
        """Return "synthetic" if any result is; some data is published in both editions."""
        return "synthetic" if any(m["edition"] == "synthetic" for m in self.metrics.values()) else "published"


def run(project: Project, output: Path | None = None, seconds: int | None = None) -> None:
    """Write the page. output: where; None for docs/results.md, which is for the published edition alone.

    seconds: how long the run took that has just ended. Raises DataError if results are missing, do not belong to the
    rows of params.yaml, or are not all of one commit; then the page stays as it was.
    """
    finished = _finished(project)
    target = project.root / PAGE if output is None else output
    if finished.edition == "synthetic" and target.resolve() == (project.root / PAGE).resolve():
        raise DataError(
            f"{PAGE} is for the published data, and these results are of the synthetic edition; `make full` makes "
            "those, and `python -m pipeline results --output reports/results.md` writes these"
        )
    commits = one_commit.commits_of(project, finished.params, finished.records)
    artifacts.save_text(target, _page(finished, _head(finished, commits, seconds)))
    print(f"{target}: {len(finished.metrics)} experiments, {finished.edition} edition, commit {commits[0][:12]}")


def _finished(project: Project) -> Finished:
    """Load the results of all rows. Raises DataError if some are missing, outdated or of removed rows."""
    params = parameters(project)
    _refuse_missing(project, params)
    _refuse_removed(project, params)
    metrics = {name: load_metrics(project, row.dataset, name) for name, row in params.experiments.items()}
    records = {name: artifacts.load_json(project.model(name) / "run.json") for name in params.experiments}
    studies = {name: _loaded(project.outcome("studies", name) / STUDY) for name in params.studies}
    tunings = {name: _loaded(project.outcome("tunings", name) / TUNING) for name in params.tunings}
    finished = Finished(project, params, metrics, records, studies, tunings)
    _refuse_outdated(finished)
    return finished


def _refuse_missing(project: Project, params: Params) -> None:
    missing = [
        name
        for name, row in params.experiments.items()
        if not project.metrics(row.dataset, name).is_file() or not (project.model(name) / "run.json").is_file()
    ]
    if not params.experiments:
        raise DataError(f"{MAIN} has no experiments; add one, and `{RUN[params.edition]}` makes its results")
    if missing:
        raise DataError(
            f"{len(missing)} of {len(params.experiments)} experiments have no results: {', '.join(missing)}; "
            f"`{RUN[params.edition]}` makes them"
        )
    places = {f"study@{name}": project.outcome("studies", name) / STUDY for name in params.studies}
    places |= {f"tune@{name}": project.outcome("tunings", name) / TUNING for name in params.tunings}
    if missing := [stage for stage, path in places.items() if not path.is_file()]:
        raise DataError(f"no results of {', '.join(missing)}; `{RUN[params.edition]}` makes them")


def _refuse_removed(project: Project, params: Params) -> None:
    reports = project.root / "reports"
    removed = [path.relative_to(project.root).as_posix() for path in stale(project, params) if reports in path.parents]
    if removed:
        raise DataError(
            f"results of rows that are gone: {', '.join(removed)}; `python -m pipeline prune --yes` deletes them"
        )


def _refuse_outdated(finished: Finished) -> None:
    """Refuse results of other settings, and figures that differ from those of the stages before or after."""
    settings = {name: provenance.settings(finished.params, name) for name in finished.records}
    outdated = [name for name, record in finished.records.items() if record.get("params") != settings[name]]
    outdated += [name for name in _differing(finished) if name not in outdated]
    for stage, outcomes in (("study", finished.studies), ("tune", finished.tunings)):
        outdated += [f"{stage}@{name}" for name, one in outcomes.items() if one["edition"] != finished.edition]
    if outdated:
        raise DataError(
            f"outdated results: {', '.join(outdated)}: settings, models, baselines or reports have changed since; "
            f"`{RUN[finished.params.edition]}` makes them again"
        )


def _differing(finished: Finished) -> Iterator[str]:
    """Yield the experiments whose figures are not those of the model, of the baselines and of the report."""
    project, params = finished.project, finished.params
    for file in (MAIN, TEXTBOOK):
        for dataset in params.datasets_of(file):
            reported = _checked(project.section(dataset, textbook=file == TEXTBOOK))
            baselines = _checked(project.baselines(dataset))
            for name in params.experiments_on(dataset):
                metrics, trained = finished.metrics[name], finished.records[name]["run_key"]
                ours = metrics.get("run", {}).get("run_key") == trained
                if not ours or metrics["baselines"] != baselines or reported.get(name) != metrics:
                    yield name


def _loaded(path: Path) -> dict[str, Any]:
    checksums.check(path.parent)
    return dict(artifacts.load_json(path))


def _checked(folder: Path) -> dict[str, Any]:
    """Load metrics.json of the folder; {} if there is none."""
    if not (folder / "metrics.json").is_file():
        return {}
    return _loaded(folder / "metrics.json")


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


def _head(finished: Finished, commits: Sequence[str], seconds: int | None) -> dict[str, str]:
    metrics, records = finished.metrics.values(), finished.records.values()
    first, *others = commits
    also = f" (some trained on {', '.join(other[:12] for other in others)}, with the same code and settings)"
    return {
        "edition": finished.edition,
        "commit": first + also * bool(others),
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
