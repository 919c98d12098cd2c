"""tune --accept <name>: write the best settings of a tuning into the row of its experiment in params.yaml."""

from collections.abc import Mapping
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config import plain_yaml
from pipeline.config.files import MAIN
from pipeline.config.schema.params import Params
from pipeline.config.schema.values import named
from pipeline.errors import UserError
from pipeline.evaluation.metric import Metric
from pipeline.integrity import checksums
from pipeline.reporting import formatting
from pipeline.reporting.tuning import gain, label, shown
from pipeline.stages import parameters
from pipeline.tasks import task_named


def run(project: Project, name: str) -> None:
    """Write the best settings into params.yaml, in the synthetic edition into the row's block `synthetic`.

    Raises UserError if the tuning has not run, or is of other data or of another row than params.yaml has now.
    """
    params = parameters(project)
    row, folder = named(params.tunings, name, "tunings"), project.outcome("tunings", name)
    if not folder.is_dir():
        raise UserError(f"{name}: the tuning has not run; run `dvc repro tune@{name}` first")
    checksums.check(folder)
    found = artifacts.load_json(folder / "tuning.json")
    _refuse_outdated(params, name, row.experiment, found)
    changes = _changes(found)
    metric = task_named(found["task"]).monitor
    if not changes:
        print(
            f"{name}: the settings of {row.experiment} are the best of {len(found['trials'])} trials; nothing changes"
        )
        return
    path = project.root / MAIN
    text = path.read_text(encoding="utf-8")
    synthetic = params.edition == "synthetic"
    settings = {setting: after for setting, (_, after) in changes.items()}
    artifacts.save_text(path, plain_yaml.with_settings(text, row.experiment, settings, synthetic=synthetic))
    print(_said(found, changes, metric, synthetic=synthetic))


def _refuse_outdated(params: Params, name: str, experiment: str, found: Mapping[str, Any]) -> None:
    again = f"run `dvc repro tune@{name}` first"
    if (found["experiment"], found["edition"]) != (experiment, params.edition):
        before, now = f"{found['experiment']} on {found['edition']} data", f"{experiment} on {params.edition} data"
        raise UserError(f"{name}: the tuning is of {before}, params.yaml has {now}; {again}")
    present = params.experiment(experiment).model_dump(mode="json")
    for setting, value in found["own"]["settings"].items():
        if present[setting] != value:
            where, now = f"experiments.{experiment}.{setting}", shown(present[setting])
            raise UserError(f"{name}: {where} was {shown(value)} when the tuning ran, and is {now}; {again}")


def _changes(found: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The settings that the best trial has otherwise than the experiment, before and after; none if it is no better."""
    own, best = found["own"]["settings"], found["best"]["settings"]
    metric = task_named(found["task"]).monitor
    if found["own"]["value"] is not None and gain(found, metric) <= 0:
        return {}
    return {name: (own[name], best[name]) for name in own if own[name] != best[name]}


def _said(found: Mapping[str, Any], changes: Mapping[str, tuple[Any, Any]], metric: Metric, *, synthetic: bool) -> str:
    experiment, trials = found["experiment"], len(found["trials"])
    place = f"experiments.{experiment}{'.synthetic' if synthetic else ''}"
    lines = [f"{MAIN}: {place}: {name}: {shown(old)} → {shown(new)}" for name, (old, new) in changes.items()]
    after, own = found["best"]["value"], found["own"]["value"]
    reached = formatting.value(metric, after)
    if own is None:
        better = f"validation {label(metric)} {reached}; the settings before were not trained to the end"
    else:
        by = "" if metric.percent or not own else f", {100 * gain(found, metric) / abs(own):.1f} % better"
        better = f"validation {label(metric)} {formatting.value(metric, own)} → {reached}{by}"
    lines.append(f"{better}; the best of {trials} trials with one seed looks better than it is")
    if found["folds"] > 1:
        others = "the test examples of the other folds were among its training examples"
        lines.append(f"only fold 0 of {found['folds']} was tuned; {others}")
    lines.append(f"`dvc repro` trains {experiment} with them, and gives the test figure")
    return "\n".join(lines)
