"""Build the journals of each stage: train opens one MLflow run for a training, evaluate and report add to it."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.schema.networks import ExperimentRows
from pipeline.evaluation.task import ServingExample
from pipeline.inference.graph import supported
from pipeline.tracking.environment import environment_tags
from pipeline.tracking.provenance import UNKNOWN, remake, target
from pipeline.tracking.record import Journal, Metric, View

SERVED_BY = Path(__file__).parents[1] / "serving" / "mlflow_model.py"
PACKAGES = ("numpy", "pydantic", "ruamel.yaml", "pillow", "nltk", "regex", "mlflow")  # what an answer needs
WITH_KERAS = ("tensorflow", "keras")  # and what it needs if Keras computes the network
AS_JSON = {"params_yaml": "params", "data_hashes": "data"}  # tags that hold JSON, and their keys in run.json
# The saved view: MLflow puts columns of one kind under one heading, in this order. Widths are in pixels.
COLUMNS = (
    ("tags", ("measure",)),
    ("metrics", ("score", "baseline_score", "skill", "optimum_share")),
    ("tags", ("verdict",)),
    ("params", ("cell", "units")),
    ("metrics", ("parameters", "train_seconds")),
    ("tags", ("dataset", "edition")),
)
VIEWS = {"held_out": "result", "textbook": "textbook"}  # the key of each protocol's saved view
SECTIONS = ("Result", "Model metrics", "System metrics")  # of charts; the last two are MLflow's and hold all others
NAME = "attributes.`Run Name`"
WIDE, NARROW = (
    {
        NAME: 290,
        "tags.`measure`": 140,
        "tags.`verdict`": 150,
        "metrics.`baseline_score`": 110,
        "metrics.`train_seconds`": 110,
        "metrics.`optimum_share`": 110,
    },
    90,
)


@dataclass(frozen=True)
class Run:
    """The identity of one training, stored in run.json. key: our own id, which exists before MLflow knows the run."""

    key: str
    source: str
    name: str
    start: int

    def journal(self, stage: str) -> Journal:
        """Open the journal of a stage for this run."""
        return Journal(stage, self.key, self.source, self.name, self.start)

    @property
    def identity(self) -> dict[str, Any]:
        """The identity as it is stored in run.json and in the metrics."""
        return {"run_key": self.key, "source": self.source, "name": self.name, "start": self.start}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Run":
        """Make a Run from a stored identity: the content of run.json, or `run` in the metrics."""
        return cls(record["run_key"], record["source"], record["name"], record["start"])


def display_name(experiment: str, row: ExperimentRows) -> str:
    """Name the run for MLflow's lists, which truncate names: what distinguishes it from other runs comes first."""
    extras = [f"{row.layers} layers"] * (row.layers > 1) + ["bidirectional"] * row.bidirectional
    extras += ["stateful"] * row.stateful
    return " · ".join([f"{row.cell} {row.units}", *extras, experiment])


KINDS = ("experiment", "source", "dataset", "task", "cell", "edition", "protocol")


def opening(run: Run, row: ExperimentRows, kinds: Mapping[str, Any], seed: int) -> Journal:
    """Build what MLflow shows of a training from its start on, all of which `training` has too.

    kinds: the facts on the training that KINDS names.
    """
    journal = run.journal("train")
    journal.params({**row.model_dump(mode="json"), "seed": seed})
    journal.tags({kind: kinds[kind] for kind in KINDS})
    journal.tags({"backend": row.backend, "mlflow.user": "pipeline"})
    return journal


def epochs(journal: Journal, history: Sequence[Mapping[str, float]]) -> None:
    """Log the curves. Their times follow from the start of the run, so that the same row is always the same metric."""
    at = journal.content.start
    for line in history:
        at += round(1000 * line["seconds"])
        journal.metrics({k: v for k, v in line.items() if k != "epoch"}, step=int(line["epoch"]), timestamp=at)


def training(
    project: Project,
    run: Run,
    row: ExperimentRows,
    facts: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    system: Sequence[Metric],
    made_of: Mapping[str, Any],
) -> Journal:
    """Build the journal of the train stage, without its model: parameters, tags, curves, data.

    made_of: `params` (provenance.settings) and `data`, the hash of each data folder.
    """
    journal = opening(run, row, facts, facts["seed"])
    journal.params({"parameters": facts["parameters"]})
    environment, experiment = environment_tags(project), facts["experiment"]
    journal.tags(environment)
    commit = environment.get("dvc_baseline") or environment.get("mlflow.source.git.commit")
    stages = {stage: target(made_of["params"], stage, experiment) for stage in ("train", "evaluate")}
    again = remake(project, commit, stages["evaluate"], made_of["params"])
    journal.tags({"mlflow.source.name": stages["train"], "remake": again})
    epochs(journal, history)
    journal.metrics({"train_seconds": facts["train_seconds"], "parameters": facts["parameters"]})
    for metric in system:
        journal.metric(*metric)
    journal.tags({tag: json.dumps(made_of[key], ensure_ascii=False, sort_keys=True) for tag, key in AS_JSON.items()})
    prepared = project.prepared(facts["dataset"]).relative_to(project.root).as_posix()
    journal.dataset(facts["dataset"], prepared, made_of["data"].get(prepared, UNKNOWN), "training")
    return journal


def add_model(journal: Journal, folder: Path, experiment: str, serving: ServingExample) -> None:
    """Add the model's folder to the journal, with its signature, example and pinned requirements."""
    example = serving.inputs
    if serving.of is not None:
        example = [serving.of(artifacts.load_json(folder / "encoder.json")), *example[1:]]
    journal.model(
        folder,
        experiment,
        served_by=SERVED_BY,
        example=example,
        output=serving.outputs,
        requirements=requirements(folder),
        parameters=serving.options,
    )


def requirements(folder: Path) -> list[str]:
    """List the packages that the model in `folder` needs, in the installed versions, which requirements.lock pins."""
    graph = folder / "graph.json"
    in_numpy = graph.is_file() and supported(artifacts.load_json(graph))
    packages = PACKAGES if in_numpy else (*PACKAGES, *WITH_KERAS)
    return [f"{package}=={metadata.version(package)}" for package in packages]


def evaluation(run: Run, metrics: Mapping[str, Any]) -> Journal:
    """Build the journal of the evaluate stage: figures of the model on its data, figures of the baselines, the skill.

    `score`, `baseline_score` and `skill` are those of the primary metric, under the same names for every task; on data
    from a known process also `optimum`, the best possible score, and `optimum_share`, the share of the way from the
    best baseline to it. They are rounded to four significant digits, since MLflow's table shows all digits.
    """
    journal, on, against = run.journal("evaluate"), metrics["dataset"], metrics["against_baseline"]
    journal.metrics({f"test_{name}": value for name, value in metrics["test"].items()}, dataset=on)
    journal.metrics({f"best_validation_{name}": value for name, value in metrics["validation"].items()}, dataset=on)
    for baseline, figures in metrics["baselines"].items():
        journal.metrics({f"test baselines/{plain(baseline)}/{name}": value for name, value in figures.items()})
    journal.metrics(in_short({"score": against["score"], "skill": against["skill"]}), dataset=on)
    journal.metrics(in_short({"baseline_score": against["baseline_score"]}))
    best = metrics.get("against_optimum")
    if best:
        journal.metrics(in_short({"optimum": best["score"], "optimum_share": best["share"]}), dataset=on)
    return journal


def in_short(figures: Mapping[str, float | None]) -> dict[str, float]:
    """Round figures to four significant digits, and leave out those that are None."""
    return {name: float(f"{value:.4g}") for name, value in figures.items() if value is not None}


def report(run: Run, folder: Path, samples: Path, tags: Mapping[str, str], note: str) -> Journal:
    """Build the journal of the report stage: the data set's figures and tables, the model's samples, and the note.

    tags: the report's verdict on the run, in a word each.
    """
    journal = run.journal("report")
    journal.artifact(folder, "report")
    journal.artifact(samples, "samples")
    journal.tags(tags)
    journal.note(note)
    return journal


def comparison(
    key: str, rows: Sequence[Mapping[str, Any]], folder: Path, tags: Mapping[str, str], note: str
) -> Journal:
    """Build the journal of the parent run of all experiments on a data set, with the results of their comparison.

    key: comparison_key() of `rows`.
    rows: the metrics of the experiments, the best first.
    tags: the report's verdict on the comparison.
    """
    best, dataset = rows[0], rows[0]["dataset"]
    last = max(rows, key=lambda row: row["run"]["start"])
    start = last["run"]["start"]
    name = f"comparison of {dataset}: {len(rows)} experiments"
    journal = Run(key, best["source"], name, start).journal("report")
    against = best["against_baseline"]
    figures = {
        "best_score": against["score"],
        "baseline_score": against["baseline_score"],
        "best_skill": against["skill"],
    }
    end = start + round(1000 * last["train_seconds"])
    journal.metrics(in_short(figures), timestamp=end)
    journal.tags({kind: best[kind] for kind in ("source", "dataset", "task", "edition", "protocol")})
    journal.tags(
        {**tags, "best": best["experiment"], "mlflow.user": "pipeline", "mlflow.source.name": f"report@{dataset}"}
    )
    journal.artifact(folder, "report")
    journal.note(note)
    for row in rows:
        journal.child(row["run"]["run_key"])
    journal.finish(end=end)
    return journal


def comparison_key(dataset: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Compute the key of the comparison's run from the keys of its trainings, so that a retraining changes it."""
    keys = sorted(row["run"]["run_key"] for row in rows)
    return hashlib.sha256(" ".join([dataset, *keys]).encode()).hexdigest()[:32]


TRAININGS = "tags.experiment != ''"  # no comparisons, which have no score of their own, and no trials


def views(dataset: str, protocols: Collection[str]) -> list[View]:
    """Build the saved views of a source: of the held-out protocol, of the textbook's, and of the data set.

    protocols: those of the source's data sets.
    """
    found = [View(f"on-{dataset}", f"Data set {dataset}", _view(f"tags.dataset = '{dataset}'"))]
    named = {"held_out": "Result: score, baseline, skill, cost", "textbook": "The textbook’s protocol"}
    return found + [
        View(key, named[protocol], _view(f"tags.protocol = '{protocol}'"))
        for protocol, key in VIEWS.items()
        if protocol in protocols
    ]


def _view(which: str) -> dict[str, Any]:
    """Build the state of a saved view, in the format of MLflow's UI. which: a filter of runs.

    It is a table of the trainings, the best first, with their score, baseline and cost, and charts of the same.
    """
    columns = [f"{kind}.`{name}`" for kind, names in COLUMNS for name in names]
    score = {"type": "BAR", "metricKey": "score", "selectedMetricKeys": ["score", "baseline_score"]}
    skill = {"type": "BAR", "metricKey": "skill"}
    axes = {"selectedParams": ["cell"], "selectedMetrics": ["parameters", "train_seconds", "score"]}
    cost = {"xaxis": {"key": "parameters", "type": "METRIC"}, "yaxis": {"key": "score", "type": "METRIC"}}
    charts: list[dict[str, Any]] = [
        score,
        skill,
        {"type": "SCATTER", "runsCountToCompare": 100, **cost},
        {"type": "PARALLEL", "showAllRuns": False, **axes},
        {"type": "LINE", "metricKey": "loss"},
    ]
    kept = {"deleted": False, "isGenerated": False}
    return {
        "searchFilter": f"{TRAININGS} and {which}",
        "orderByKey": "metrics.`skill`",
        "orderByAsc": False,
        "selectedColumns": columns,
        "columnOrder": [NAME, *columns],
        "columnWidths": {column: WIDE.get(column, NARROW) for column in (NAME, *columns)},
        "compareRunCharts": [
            {"uuid": f"result-{i}", "metricSectionId": SECTIONS[0], **kept, **chart} for i, chart in enumerate(charts)
        ],
        "compareRunSections": [
            {"uuid": name, "name": name, "display": True, "isReordered": False, **kept} for name in SECTIONS
        ],
    }


def plain(name: str) -> str:
    """Replace the characters of a baseline's name that MLflow does not allow in the name of a metric by `_`."""
    return "".join(c if c.isalnum() or c in " -." else "_" for c in name)
