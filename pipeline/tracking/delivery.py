"""Deliver journals to MLflow through a spool folder.

Each journal is first stored in the spool, and removed when the store has received all of it. So a store that is down,
slow or locked costs one warning, and each journal is delivered exactly once.
"""

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.artifacts import Project, new_folder
from pipeline.errors import DataError, UserError
from pipeline.tracking import child
from pipeline.tracking.address import address, credentials, place, reason
from pipeline.tracking.record import Journal, load, now
from pipeline.tracking.store import (
    HEALTH_SECONDS,
    check_reachable,
    experiment_id,
    explained,
    import_mlflow,
    one_at_a_time,
    prepare,
)
from pipeline.tracking.upload import find, send

ENTRY = re.compile(r"[0-9a-f]{32}-[a-z0-9_]+-\d+")
STAGE_SECONDS = 60.0  # for all that a stage sends, whatever MLflow does
COMMAND_SECONDS = 600.0  # the same for the command `sync`, whose user waits for MLflow alone
LATER = "PIPELINE_MLFLOW_LATER"  # set to 1 in a worker of a fan-out: its journals wait for whoever started it
SECONDS_PER_JOURNAL = 2.0  # what each journal that arrives adds, so that a long spool is sent too


class Delivered(NamedTuple):
    """The ids of a run and its model in MLflow; None for what MLflow does not have (yet)."""

    run_id: str | None = None
    model_id: str | None = None
    experiment_id: str | None = None


def deliver(journal: Journal, project: Project, seconds: float = STAGE_SECONDS) -> Delivered:
    """Send the journal, after those of the same run that still wait in the spool, within `seconds`.

    Never raises if the store fails: the journal stays in the spool, a line on stderr says why, and both ids are None.
    """
    content = journal.content
    try:
        entry = spool(journal, project)
        if content.status is not None:
            shutil.rmtree(running_folder(project, content.run_key), ignore_errors=True)
    except OSError as error:
        _warn(f"{reason(error)}; the {content.stage} stage of {content.run_name!r} is not in MLflow")
        return Delivered()
    if later():
        return Delivered()
    try:
        killed = [key for key in _keys(spooled(project), "killed") if key != content.run_key]
        found = _within(seconds, project, [*killed, content.run_key])
    except (child.Failed, child.GivenUp) as error:
        why = [str(error)]
    else:
        why = [line for line in found["failed"] if line.startswith(content.run_key)]
    if why:
        _warn(
            f"{why[0]}; the {content.stage} stage of {content.run_name!r} is kept in {entry}, "
            "`python -m pipeline sync` sends it later"
        )
        return Delivered()
    return Delivered(*found["delivered"])


def sync(project: Project, seconds: float = STAGE_SECONDS) -> int:
    """Send all journals in the spool, those of the oldest run first; return how many were sent.

    seconds: to give up after; each journal that arrives adds some. Raises UserError if some could not be sent; they
    stay in the spool. Those that another process sends meanwhile are no failure.
    """
    waiting = spooled(project)
    if not waiting or later():
        return 0
    run_keys = _keys(waiting)
    failures, sent = [], 0
    try:
        found = _within(seconds, project, run_keys)
        failures, sent = found["failed"], found["sent"]
    except (child.Failed, child.GivenUp) as error:
        failures = [str(error)]
    left = len(set(waiting) & set(spooled(project)))
    if failures and left:
        raise UserError("\n".join([f"{left} of {len(waiting)} journals stay in {project.spool}:", *failures]))
    return sent


def later() -> bool:
    """Whether all journals stay in the spool: another process collects them."""
    return os.environ.get(LATER) == "1"


def running_folder(project: Project, run_key: str) -> Path:
    """Return the folder in the spool that a training has while it runs."""
    return project.spool / f".running-{run_key}"


def _keys(entries: Iterable[Path], stage: str = "") -> list[str]:
    """Return the keys of the runs with journals of the stage, or of any."""
    parts = (entry.name.split("-") for entry in entries)
    return list(dict.fromkeys(key for key, of, _ in parts if stage in ("", of)))


def _within(seconds: float, project: Project, run_keys: list[str]) -> dict[str, Any]:
    where = place(address(project))
    say = partial(_warn, f"waiting for MLflow at {where}, up to {seconds:.0f} s")
    try:
        return dict(child.within(seconds, partial(_send_runs, project, run_keys, seconds), say))
    except child.GivenUp as error:
        raise child.GivenUp(f"MLflow at {where} is given up: {error}") from None


def spooled(project: Project, run_key: str = "") -> list[Path]:
    """List the journals in the spool, of all runs or of one, oldest first."""
    entries = project.spool.glob(f"{run_key}*")
    return sorted((entry for entry in entries if ENTRY.fullmatch(entry.name)), key=_number)


def waiting(project: Project) -> str:
    """Return a line that says how many journals wait, and what sends them."""
    count = len(spooled(project))
    noun = "journal waits" if count == 1 else "journals wait"
    return f"tracking: {count} {noun} in data/spool; the stage index sends them to MLflow, or `python -m pipeline sync`"


def _number(entry: Path) -> int:
    return int(entry.name.rpartition("-")[2])


def spool(journal: Journal, project: Project) -> Path:
    """Store the journal in the spool for the next delivery or `sync`. Raises OSError.

    Importing MLflow takes seconds in each process, so the stages after train leave sending to the last stage.
    """
    key, stage = journal.content.run_key, journal.content.stage
    # the time, to order the journals, but higher than those in the spool in case the clock was set back
    number = max([now(), *(_number(entry) + 1 for entry in spooled(project, key))])
    entry = project.spool / f"{key}-{stage}-{number}"
    with new_folder(entry) as folder:
        journal.save(folder)
    return entry


def _warn(message: str) -> None:
    print(f"tracking: {message}", file=sys.stderr, flush=True)


def _send_runs(project: Project, run_keys: list[str], seconds: float, clock: child.Clock) -> dict[str, Any]:
    """Send the journals of these runs; runs in the child process.

    Returns how many were `sent`, a line for each that `failed`, and the ids of the last run `delivered`.
    """
    uri = address(project)
    with credentials():
        try:
            patient = seconds > STAGE_SECONDS
            check_reachable(uri, 60.0 if patient else HEALTH_SECONDS)
            clock.own_work(True)
            if patient:
                os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
            mlflow = import_mlflow()
            # The lock also covers what two processes cannot do at the same time: the store's first use, and moving it.
            with _turn(project, clock):
                prepare(project, uri)
                clock.own_work(False)
                client = mlflow.MlflowClient(tracking_uri=uri)
                return _send_each(client, project, run_keys, clock)
        except Exception as error:
            raise child.Failed(explained(error, uri)) from None


@contextlib.contextmanager
def _turn(project: Project, clock: child.Clock) -> Iterator[None]:
    clock.own_work(False)
    with one_at_a_time(project):
        clock.own_work(True)
        yield


def _send_each(client: Any, project: Project, run_keys: Iterable[str], clock: child.Clock) -> dict[str, Any]:
    sent, failed, delivered = 0, [], Delivered()
    for run_key in run_keys:
        for entry in spooled(project, run_key):
            try:
                delivered = _send_entry(client, project, entry)
            except Exception as error:  # a run that MLflow refuses must not block the others
                failed.append(f"{entry.name}: {explained(error, address(project))}")
                break
            sent += 1
            clock.gain(SECONDS_PER_JOURNAL)
    for rest in project.spool.glob(".*.sent"):
        shutil.rmtree(rest, ignore_errors=True)
    return {"sent": sent, "failed": failed, "delivered": delivered}


def _send_entry(client: Any, project: Project, entry: Path) -> Delivered:
    try:
        content = load(entry)
    except (DataError, KeyError, TypeError) as error:
        raise DataError(f"damaged ({reason(error)}); delete {entry}") from None
    experiment = experiment_id(client, content.source, project)
    send(client, experiment, content)
    sent = entry.rename(entry.with_name(f".{entry.name}.sent"))  # a partly deleted one must not be sent again
    shutil.rmtree(sent, ignore_errors=True)
    run = find(client, [experiment], content.run_key)
    return Delivered(run.info.run_id, run.data.tags.get("model_id"), str(run.info.experiment_id))
