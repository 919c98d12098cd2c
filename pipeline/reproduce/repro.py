"""`make repro`: all pipelines, from raw data to the pages, in few lines; DVC's own lines go into a log."""

import re
import signal
import sys
import time
from pathlib import Path

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.errors import StageFailed, UserError
from pipeline.errors.boundary import message
from pipeline.integrity import claims
from pipeline.reproduce import locks, unchanged
from pipeline.reproduce.closing import closing
from pipeline.reproduce.lines import Lines, live
from pipeline.reproduce.runner import Failure, run_all
from pipeline.stages import parameters

TAIL = 15  # lines of a failed stage that are printed
FAILED = 255  # exit code of `dvc repro` when a stage fails
INTERRUPTED = 130


def run(project: Project) -> None:
    """Run all stages that are new or changed, and say what came of it. Raises StageFailed."""
    folder = project.root / ".dvc" / "tmp"
    stages = unchanged.unchanged(folder / "up-to-date.json", project.root)
    if stages is None:
        with claims.claimed(project.root, claims.ALL_STAGES, "make repro", patience=0):
            locks.clear(project)
            stages = _run(project, folder)
    if stages:
        print(f"{stages} stages up to date")
    print("\n".join(["", *closing(project, parameters(project))]))


def _run(project: Project, folder: Path) -> int:
    """Run what has changed, and return the number of stages that were up to date."""
    log, times, before = folder / "repro.log", folder / "repro.json", time.time_ns()
    folder.mkdir(parents=True, exist_ok=True)
    lines = Lines(artifacts.load_json(times) if times.is_file() else {})
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with log.open("w", encoding="utf-8") as file, live(lines):
            done = run_all(lines, file, folder / "repro")
    except KeyboardInterrupt:
        message = f"interrupted; finished stages are kept, `make repro` goes on (log: {log})"
        raise _stopped(message, INTERRUPTED) from None
    except UserError as error:
        raise UserError(locks.explained(project, str(error))) from None
    artifacts.save_json(times, {**lines.earlier, **done.seconds})
    if done.failure is not None:
        raise _failed(done.failure, log)
    unchanged.remember(folder / "up-to-date.json", project.root, done.stages, before)
    return lines.up_to_date()


def _failed(failure: Failure, log: Path) -> StageFailed:
    shown = [f"    {line}" for line in failure.output.splitlines()[-TAIL:]]
    print("\n".join([f"{failure.name} failed" + (", after it had printed:" if shown else ""), *shown]), file=sys.stderr)
    return _stopped(f"{_reason(failure.error)}\nall output: {log}", FAILED)


def _reason(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    killed = re.search(r"exited with (-\d+|1[2-5]\d)$", str(error))
    if killed:
        return (
            f"{error}: {_signal(int(killed[1]))} ended it; Linux kills a process that needs more memory than there is"
        )
    return message(error) or str(error) or type(error).__name__


def _signal(code: int) -> str:
    """The name of the signal in an exit code: minus its number, or as a shell says it."""
    number = -code if code < 0 else code - 128
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


def _stopped(message: str, code: int) -> StageFailed:
    error = StageFailed(message)
    error.code = code
    return error
