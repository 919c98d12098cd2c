"""Deliver journals to MLflow through a spool folder.

Each journal is first stored in the spool, and removed when the store has received all of it. So a store that is down,
slow or locked costs one warning, and each journal is delivered exactly once.
"""

import re
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from pipeline.artifacts import Project, new_folder
from pipeline.errors import UserError
from pipeline.tracking.record import Journal, load, now
from pipeline.tracking.store import (
    SQLITE,
    address,
    check_reachable,
    experiment_id,
    import_mlflow,
    one_at_a_time,
    reason,
)
from pipeline.tracking.upload import find, send

ENTRY = re.compile(r"[0-9a-f]{32}-[a-z0-9_]+-\d+")


class Delivered(NamedTuple):
    """The ids of a run and its model in MLflow; None for what MLflow does not have (yet)."""

    run_id: str | None
    model_id: str | None
    experiment_id: str | None = None


def deliver(journal: Journal, project: Project) -> Delivered:
    """Send the journal, after those of the same run that still wait in the spool.

    Never raises if the store fails: the journal stays in the spool, a line on stderr says why, and both ids are None.
    """
    content = journal.content
    try:
        entry = spool(journal, project)
    except OSError as error:
        _warn(f"{reason(error)}; the {content.stage} stage of {content.run_name!r} is not in MLflow")
        return Delivered(None, None)
    try:
        return _send_run(content.source, content.run_key, project)
    except Exception as error:  # whatever fails in MLflow or below it, the result of the stage is complete
        _warn(
            f"{reason(error)}; the {content.stage} stage of {content.run_name!r} is kept in {entry}, "
            "`python -m pipeline sync` sends it later"
        )
        return Delivered(None, None)


def sync(project: Project) -> int:
    """Send all journals in the spool, those of the oldest run first; return how many were sent.

    Raises UserError if some could not be sent; they stay in the spool.
    """
    waiting = spooled(project)
    first: dict[str, Path] = {}
    for entry in waiting:
        first.setdefault(entry.name.partition("-")[0], entry)
    failures = []
    for run_key, entry in first.items():
        try:
            _send_run(load(entry).source, run_key, project)
        except Exception as error:  # a run that MLflow refuses must not block the others
            failures.append(f"{entry.name}: {reason(error)}")
    left = len(set(waiting) & set(spooled(project)))
    if failures:
        raise UserError("\n".join([f"{left} of {len(waiting)} journals stay in {project.spool}:", *failures]))
    return len(waiting) - left


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


def _send_run(source: str, run_key: str, project: Project) -> Delivered:
    """Send the journals of one run in the spool, in order."""
    uri = address(project)
    check_reachable(uri)
    mlflow = import_mlflow()
    # The lock also covers the first use of a new sqlite file, which two processes cannot set up at the same time.
    with one_at_a_time(project):
        client = mlflow.MlflowClient(tracking_uri=uri)
        experiment = experiment_id(client, source, project if uri.startswith(SQLITE) else None)
        for entry in spooled(project, run_key):
            send(client, experiment, load(entry))
            sent = entry.rename(entry.with_name(f".{entry.name}.sent"))  # a partly deleted one must not be sent again
            shutil.rmtree(sent, ignore_errors=True)
        run = find(client, [experiment], run_key)
    if run is None:
        return Delivered(None, None)
    return Delivered(run.info.run_id, run.data.tags.get("model_id"), str(run.info.experiment_id))
