"""tune@<name>: search the best settings of an experiment by its validation part."""

import csv
import hashlib
import io
import json
import sys
from collections.abc import Mapping
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.schema.params import Params
from pipeline.config.schema.tunings import Dimension, TuningRow
from pipeline.config.schema.values import named
from pipeline.errors import TrainingError, UserError
from pipeline.reporting import tuning as pictures
from pipeline.stages import parameters
from pipeline.studies import pool as pools
from pipeline.studies import storage, tuned
from pipeline.studies import store as stores
from pipeline.studies.executor import pool_for, refuse_missing
from pipeline.studies.search import Search, search
from pipeline.studies.store import Store
from pipeline.studies.trial import Addresses, Trial
from pipeline.tasks import task_named
from pipeline.tracking import study as journal_of
from pipeline.tracking.delivery import spool, sync

# A refit does not show in validation, and members of an ensemble differ by chance alone.
ALONE = {"refit": False, "ensemble": 1}


def run(project: Project, name: str) -> None:
    """Save the trials of the tuning `name` and the best of them. Only trials that are missing are run.

    Raises TrainingError if no trial is complete, ConfigError if the storage cannot be used.
    """
    params = parameters(project)
    row = named(params.tunings, name, "tunings")
    refuse_missing(params.executor)
    kept = storage.opened(name, row.storage, storage.file_of(project, name))
    pools.import_training()
    addresses = Addresses(project, params, row.experiment)
    plan = planned(project, params, name, addresses, row)
    print(f"{name}: {row.trials} trials of {row.experiment}, judged by validation {plan.figure}")
    with pool_for(project, params.executor, addresses, _largest(plan)) as pool:
        study = search(plan, kept, pool, lambda line: print(f"{name}: {line}"))
    try:
        found = tuned.found(plan, study)
    except TrainingError as error:
        raise TrainingError(f"tunings.{name}: {error}") from None
    task = task_named(addresses.row.task)
    found |= {"tuning": name, "experiment": row.experiment, "dataset": addresses.row.dataset, "task": task.name}
    found |= {"edition": params.edition, "figure": plan.figure, "folds": addresses.encoded.summary.get("folds", 1)}
    _save(project, name, found)
    with artifacts.new_folder(project.outcome_section("tuning", name), listed=True) as fresh:
        artifacts.save_json(fresh / "tuning.json", found)
    _send(project, plan, addresses, found)
    print(f"{name}: {pictures.verdict(found, task.monitor)}\nTo use them: python -m pipeline tune --accept {name}")


def planned(project: Project, params: Params, name: str, addresses: Addresses, row: TuningRow) -> Search:
    """Return what is searched: trials of the experiment as one network, without a refit and without the test part."""
    alone = {key: value for key, value in ALONE.items() if key in type(addresses.row).model_fields}
    monitor = task_named(addresses.row.task).monitor

    def made(settings: Mapping[str, Any]) -> Trial:
        return addresses.trial({**alone, **settings}, params.seed, blind=True)

    epochs = row.dimensions.get("epochs", Dimension("int", 1, addresses.row.epochs))
    # The experiment's own values of what is tuned are left out: after `--accept` the search is the same.
    without = made({name: (d.choices or (d.low,))[0] for name, d in row.dimensions.items()})
    made_of = {"without": without.key, "space": row.space, "pruning": row.pruning, "figure": monitor.name}
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
    return Search(
        name=f"{name}-{digest}",
        row=row,
        seed=params.seed,
        own={setting: addresses.row.model_dump(mode="json")[setting] for setting in row.space},
        made=made,
        stored=Store(project).load,
        figure=monitor.name,
        higher_is_better=bool(monitor.higher_is_better),
        epochs=int(max(epochs.choices or (epochs.high,))),
    )


def _largest(plan: Search) -> list[Trial]:
    """Trials from which the memory of a worker is estimated: the upper ends of every range, and every choice."""
    space = plan.row.dimensions
    ends = [
        {name: d.choices[at % len(d.choices)] if d.choices else d.high for name, d in space.items()}
        for at in range(max((len(d.choices) for d in space.values()), default=1) or 1)
    ]
    wanted = max(len(ends), min(plan.row.trials, pools.cores()))  # there are no more workers than trials
    return [plan.made(ends[at % len(ends)]) for at in range(wanted)]


def _save(project: Project, name: str, found: Mapping[str, Any]) -> None:
    monitor = task_named(found["task"]).monitor
    with artifacts.new_folder(project.outcome("tunings", name), listed=True) as fresh:
        artifacts.save_json(fresh / "tuning.json", found)
        artifacts.save_text(fresh / "trials.csv", _csv(found))
        for picture in pictures.pictures(found, monitor):
            artifacts.save_bytes(fresh / f"{picture.name}.png", picture.png)
    own, best = found["own"]["value"], found["best"]["value"]
    artifacts.save_json(
        project.outcome_scores("tunings", name),
        {"measure": found["figure"], "best": best, "own": own, **found["counts"]},
    )


def _send(project: Project, plan: Search, addresses: Addresses, found: Mapping[str, Any]) -> None:
    """Send a run for the tuning, and one for each of its best trials. An unreachable store costs no result."""
    facts = {**addresses.encoded.summary, "edition": found["edition"]}
    sign = -1 if plan.higher_is_better else 1
    complete = [trial for trial in found["trials"] if trial["state"] == "complete"]
    best_first = sorted(complete, key=lambda trial: (sign * trial["value"], trial["number"]))
    trials = {trial["key"]: (trial, plan.made(trial["settings"])) for trial in reversed(best_first)}
    journals = [
        journal_of.trial(
            key, f"trial {trial['number'] + 1} · {found['tuning']}", made.settings, facts, stores.facts(result)
        )
        for key, (trial, made) in reversed(trials.items())
        if (result := plan.stored(made)) is not None
    ][: pictures.SHOWN]
    if not journals:
        return
    note = pictures.markdown(found, task_named(found["task"]).monitor)
    for journal in [*journals, journal_of.tuning(found["tuning"], found, journals, facts, note)]:
        spool(journal, project)
    try:
        sync(project)
    except UserError as error:
        print(f"tracking: {error}\nrun `python -m pipeline sync` to send them later", file=sys.stderr)


def _csv(found: Mapping[str, Any]) -> str:
    """The trials as a table, a column for each setting."""
    stream = io.StringIO()
    settings = list(found["best"]["settings"])
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["number", "state", found["figure"], "epochs", *settings])
    for trial in found["trials"]:
        value = "" if trial["value"] is None else trial["value"]
        writer.writerow(
            [trial["number"], trial["state"], value, trial["epochs"], *(trial["settings"][s] for s in settings)]
        )
    return stream.getvalue()
