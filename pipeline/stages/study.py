"""study@<name>: train the trials of a study, and say what their results show."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.schema.params import Params
from pipeline.config.schema.values import named
from pipeline.errors import TrainingError, UserError
from pipeline.evaluation.task import Task
from pipeline.reporting.study import markdown
from pipeline.stages import parameters
from pipeline.studies import pool as pools
from pipeline.studies import store as stores
from pipeline.studies.answer import Arm, answer
from pipeline.studies.executor import pool_for, refuse_missing
from pipeline.studies.plan import PlannedArm, planned
from pipeline.studies.pool import Done, Failed, Pool
from pipeline.studies.store import Store
from pipeline.studies.trial import Addresses, TrialResult
from pipeline.tasks import task_named
from pipeline.tracking import study as journal_of
from pipeline.tracking.delivery import spool, sync


def run(project: Project, name: str) -> None:
    """Save the results of the study `name` and what they say. Only trials that are not stored yet are trained.

    Raises TrainingError if a trial cannot be trained; the others are kept.
    """
    params = parameters(project)
    refuse_missing(params.executor)
    study = named(params.studies, name, "studies")
    pools.import_training()
    addresses, store = Addresses(project, params, study.experiment), Store(project)
    arms, task = planned(addresses, store, name, study, params.seed), task_named(addresses.row.task)
    results = _results(project, params, name, addresses, arms)
    found = answer(task.primary_metric, [_arm(arm, task, results) for arm in arms], task.bootstrap_block)
    found |= {"study": name, "experiment": study.experiment, "dataset": addresses.row.dataset}
    found |= {"vary": list(study.vary), "match": study.match, "edition": params.edition}
    with artifacts.new_folder(project.outcome("studies", name), listed=True) as fresh:
        artifacts.save_json(fresh / "answer.json", found)
        stores.save_all(fresh, results)
    with artifacts.new_folder(project.outcome_section("study", name), listed=True) as fresh:
        artifacts.save_json(fresh / "answer.json", found)
    artifacts.save_json(project.outcome_scores("studies", name), _columns(found))
    _send(project, addresses, found, arms, results)
    print(f"{name}: {found['verdict']}" + (" (synthetic data)" if params.edition == "synthetic" else ""))


def _results(
    project: Project, params: Params, name: str, addresses: Addresses, arms: Sequence[PlannedArm]
) -> dict[str, TrialResult]:
    """The results of all trials by their keys: those that are stored, and those that are trained now."""
    store = Store(project)
    names = {trial.key: f"{arm.name} seed={trial.seed}" for arm in arms for trial in arm.trials}
    trials = {trial.key: trial for arm in arms for trial in arm.trials}
    results = {key: found for key, trial in trials.items() if (found := store.load(trial)) is not None}
    new = [trial for key, trial in trials.items() if key not in results]
    print(
        f"{name}: {len(trials)} trials, {len(results)} of them stored" if results else f"{name}: {len(trials)} trials"
    )
    with pool_for(project, params.executor, addresses, new) as pool:
        for trial in new:
            pool.submit(trial)
        for event in _events(pool, len(new)):
            if isinstance(event, Failed):
                raise TrainingError(f"studies.{name}: {names[event.trial.key]}: {event.message}")
            results[event.trial.key] = event.result
            print(f"{name}: {len(results)}/{len(trials)} {names[event.trial.key]}: {event.result.seconds:.0f} s")
    return {key: results[key] for key in trials}


def _events(pool: Pool, count: int) -> Iterator[Done | Failed]:
    """The ends of `count` trials."""
    while count:
        event = pool.next()
        if isinstance(event, Done | Failed):
            count -= 1
            yield event


def _arm(arm: PlannedArm, task: Task, results: Mapping[str, TrialResult]) -> Arm:
    found = [results[trial.key] for trial in arm.trials]
    return Arm(
        name=arm.name,
        settings={**arm.settings, **arm.matched},
        seeds=tuple(trial.seed for trial in arm.trials),
        scores=np.array([one.test[task.primary_metric.name] for one in found]),
        losses=np.stack([one.losses for one in found]),
        parameters=found[0].parameters,
        seconds=np.array([one.seconds for one in found]),
        memory=np.array([one.memory for one in found]),
    )


def _send(
    project: Project,
    addresses: Addresses,
    found: Mapping[str, Any],
    arms: Sequence[PlannedArm],
    results: Mapping[str, TrialResult],
) -> None:
    """Send a run for each trial and one for the study. An unreachable store causes a warning, and costs no result."""
    facts = {**addresses.encoded.summary, "edition": found["edition"]}
    journals = [
        journal_of.trial(
            trial.key,
            f"{arm.name} seed={trial.seed} · {found['experiment']}",
            {**trial.settings, "seed": trial.seed},
            facts,
            stores.facts(results[trial.key]),
        )
        for arm in arms
        for trial in arm.trials
    ]
    note = markdown(found["study"], found, task_named(addresses.row.task).primary_metric)
    above = journal_of.study(found["study"], found, journals, facts, note)
    for journal in [*journals, above]:
        spool(journal, project)
    try:
        sync(project)
    except UserError as error:
        print(f"tracking: {error}\nrun `python -m pipeline sync` to send them later", file=sys.stderr)


def _columns(found: Mapping[str, Any]) -> dict[str, Any]:
    """The line of `dvc metrics`: the best arm, in the columns that experiments have too."""
    best = found["arms"][0]
    columns = {"measure": found["metric"]["name"], "score": best["mean"], "best": best["name"]}
    return {**columns, "parameters": best["parameters"], "seconds": best["seconds"]}
