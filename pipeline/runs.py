"""What each stage tells MLflow of a training: one run, opened by train, to which evaluate and report add."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.journal import Journal, Metric, environment_tags
from pipeline.lineage import UNKNOWN
from pipeline.rows import ExperimentRows, named

SERVED_BY = Path(__file__).with_name("served_model.py")
PACKAGES = ("tensorflow", "keras", "numpy", "pydantic", "ruamel.yaml", "pyyaml", "pillow", "nltk", "mlflow")
AS_JSON = {"params_yaml": "params", "data_hashes": "data"}  # tags, and their keys in run.json, where they need no JSON
GENERATION = {"length": 300, "temperature": 0.7, "top_p": 1.0, "seed": 0}
CLASS = {"label": "a", "probability": 0.9, "probabilities": {"a": 0.9, "b": 0.1}}
# For the signature of the served model: raw input, the form of the answer, and the options with their defaults.
EXAMPLES: dict[str, tuple[list[Any], list[Any], dict[str, Any] | None]] = {
    "char_lm": (["once upon a time"], [{"text": "…"}], {"length": 300, "temperature": 0.7, "top_p": 1.0, "seed": 0}),
    "char_windows": (
        ["once upon a time"],
        [{"text": "…"}],
        {"length": 300, "temperature": 0.7, "top_p": 1.0, "seed": 0},
    ),
    "sentiment": (["I love it"], [CLASS], None),
    "pos_tagging": (["The old man the boat ."], [{"words": ["The"], "tags": ["DT"]}], None),
    "forecasting": ([{"values": [1.0, 2.0], "start": "2026-01-01T00:00"}, {}], [{"values": [3.0]}], {"steps": 96}),
    "image_rows": (["iVBORw0KGgo="], [CLASS], None),
    "returns": ([{"values": [1.0], "high": [1.0], "low": [1.0], "volume": [1.0]}], [{"values": [3.0]}], None),
    "scaled_windows": ([{"values": [1.0, 2.0]}], [{"values": [3.0]}], None),
    "padded_texts": (["I love it"], [CLASS], None),
    "cosine_windows": ([{"values": [1.0, 2.0]}], [{"values": [3.0]}], {"steps": 96}),
    "padded_tags": (["the old man the boat ."], [{"words": ["the"], "tags": ["DT"]}], None),
}


@dataclass(frozen=True)
class Run:
    """The identity of one training, kept in run.json: `key` is ours, and known before MLflow has seen anything."""

    key: str
    source: str
    name: str
    start: int

    def journal(self, stage: str) -> Journal:
        return Journal(stage, self.key, self.source, self.name, self.start)

    @property
    def identity(self) -> dict[str, Any]:
        """As it stands in run.json and in the metrics."""
        return {"run_key": self.key, "source": self.source, "name": self.name, "start": self.start}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Run":
        """From what holds an identity: the content of run.json, or `run` in the metrics."""
        return cls(record["run_key"], record["source"], record["name"], record["start"])


def display_name(experiment: str, row: ExperimentRows) -> str:
    """What the run is called in MLflow's lists, which cut names off: what one compares it by first."""
    extras = [f"{row.layers} layers"] * (row.layers > 1) + ["bidirectional"] * row.bidirectional
    extras += ["stateful"] * row.stateful
    return " · ".join([f"{row.cell} {row.units}", *extras, experiment])


def training(
    project: Project,
    run: Run,
    row: ExperimentRows,
    facts: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    system: Sequence[Metric],
    made_of: Mapping[str, Any],
) -> Journal:
    """The journal of the train stage, without its model: parameters, tags, curves, data.

    made_of: `params` (lineage.settings) and `data`, the hash of each data folder.
    """
    journal = run.journal("train")
    journal.params({**row.model_dump(mode="json"), "seed": facts["seed"], "parameters": facts["parameters"]})
    journal.tags(environment_tags(project))
    kinds = ("experiment", "source", "dataset", "task", "cell", "edition", "protocol")
    journal.tags({kind: facts[kind] for kind in kinds})
    journal.tags({"backend": row.backend, "mlflow.user": "pipeline"})
    at = run.start
    for line in history:
        at += round(1000 * line["seconds"])
        journal.metrics({k: v for k, v in line.items() if k != "epoch"}, step=int(line["epoch"]), timestamp=at)
    journal.metrics({"train_seconds": facts["train_seconds"], "parameters": facts["parameters"]})
    for metric in system:
        journal.metric(*metric)
    journal.tags({tag: json.dumps(made_of[key], ensure_ascii=False, sort_keys=True) for tag, key in AS_JSON.items()})
    prepared = project.prepared(facts["dataset"]).relative_to(project.root).as_posix()
    journal.dataset(facts["dataset"], prepared, made_of["data"].get(prepared, UNKNOWN), "training")
    return journal


def add_model(journal: Journal, folder: Path, experiment: str, task: str) -> None:
    """The model's folder with its signature, example and pinned requirements."""
    example, output, options = named(EXAMPLES, task, "task")
    extras = artifacts.load_json(folder / "encoder.json").get("extras", ())
    if extras:
        example = [
            {**item, "extras": {extra["name"]: [0.0, 0.0] for extra in extras}} if item else {} for item in example
        ]
    pins = [f"{package}=={metadata.version(package)}" for package in PACKAGES]
    journal.model(
        folder,
        experiment,
        served_by=SERVED_BY,
        example=example,
        output=output,
        requirements=pins,
        parameters=options,
    )


def evaluation(run: Run, metrics: Mapping[str, Any]) -> Journal:
    """The journal of the evaluate stage: test and validation figures, the baselines', skill, and a note to read."""
    journal = run.journal("evaluate")
    journal.metrics({f"test_{name}": value for name, value in metrics["test"].items()})
    journal.metrics({f"best_validation_{name}": value for name, value in metrics["validation"].items()})
    for baseline, figures in metrics["baselines"].items():
        journal.metrics({f"test baselines/{plain(baseline)}/{name}": value for name, value in figures.items()})
    against = metrics["against_baseline"]
    journal.metrics({"baseline_score": against["baseline_score"]})
    note = (
        f"{metrics['experiment']} on {metrics['dataset']}: test {against['metric']} {against['score']:.4f}, "
        f"{against['baseline']} {against['baseline_score']:.4f}."
    )
    if against["skill"] is not None:
        journal.metrics({"skill": against["skill"]})
        note += f" Skill {against['skill']:+.1%}."
    journal.tags({"mlflow.note.content": note + (" **Sample data.**" if metrics["edition"] == "sample" else "")})
    return journal


def report(run: Run, folder: Path, samples: Path) -> Journal:
    """The journal of the report stage: the data set's figures and tables, and what the model wrote."""
    journal = run.journal("report")
    journal.artifact(folder, "report")
    journal.artifact(samples, "samples")
    return journal


def plain(name: str) -> str:
    """A baseline's name with only what MLflow allows in a metric's name."""
    return "".join(c if c.isalnum() or c in " -." else "_" for c in name)
