"""The first step of a worker: a clone of the commit, in which the project's own command then runs one stage.

A cluster gets these functions as they are, by value: the project's code is not there yet. So this module imports
nothing of the project, and what goes in and out is plain data.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Job = Mapping[str, Any]  # keys: see job()
Outcome = dict[str, Any]  # see outcome()

DONE, FAILED, REFUSED, LOST = "done", "failed", "refused", "lost"
RESULTS = Path(".dvc") / "tmp" / "fan-out"  # in the clone
KEPT = ("/.dvc/cache/", "/data/checkpoints/")  # what the next stage in the same clone can use
NOT_PASSED_ON = ("DVC_STAGE", "DVC_ROOT", "DVC_EXP", "GIT_", "RAY_", "PYTHONPATH", "VIRTUAL_ENV")
THREADS = ("MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # Ray sets them
STAGE_FAILED = 255  # exit code of the worker command; 2 is a refusal
PR_SET_PDEATHSIG = 1
TAIL = 20_000  # bytes of output
_running: "set[subprocess.Popen[bytes]]" = set()


def job(
    stage: str, *, commit: str, repository: str, folder: str, remote: Mapping[str, str],
    results: Mapping[str, bytes], environment: Mapping[str, str], scratch: str,
) -> Job:  # fmt: skip
    """Describe the work on one stage.

    stage: as DVC names it. repository: what git clones; folder: the project's in it, "." at its top. remote: name and
    url of DVC's. results: the files of the stages before it, by name. environment: variables of the stage. scratch: the
    folder for clones, "" for one in the folder for temporary files.
    """
    return {
        "stage": stage, "commit": commit, "repository": repository, "folder": folder, "remote": dict(remote),
        "results": dict(results), "environment": dict(environment), "scratch": scratch,
    }  # fmt: skip


def outcome(status: str, stage: str, output: str = "", **more: Any) -> Outcome:
    """Describe what came of it. status: DONE, FAILED (the stage), REFUSED (git or DVC) or LOST (the worker).

    output: the end of what was printed. more: `files`, the results by name; `seconds` of the parts.
    """
    return {"status": status, "stage": stage, "output": output, "files": {}, "seconds": {}, **more}


class Refused(Exception):
    """Git cannot make the clone; the message says why."""


def run(job: Job) -> Outcome:
    """Run the stage in a clone of its own, and return its results."""
    began = time.monotonic()
    try:
        with _clone(job) as clone:
            project = clone / job["folder"]
            _prepare(project, job)
            ready = time.monotonic()
            code, output = _command(project, job)
            seconds = {"clone": ready - began, "worker": time.monotonic() - ready}
            if code == 0:
                files = {path.name: path.read_bytes() for path in (project / RESULTS / "new").iterdir()}
                return outcome(DONE, job["stage"], output, files=files, seconds=seconds)
    except (Refused, OSError) as error:
        return outcome(REFUSED, job["stage"], f"{error}")
    if code < 0:
        return outcome(LOST, job["stage"], f"{signal.Signals(-code).name} ended the worker\n{output}")
    return outcome(FAILED if code == STAGE_FAILED else REFUSED, job["stage"], output)


@contextlib.contextmanager
def _clone(job: Job) -> Iterator[Path]:
    """Take a clone that no other worker of this machine uses, or make one."""
    top = Path(job["scratch"] or Path(tempfile.gettempdir()) / f"pipeline-fan-out-{os.getuid()}")
    top.mkdir(parents=True, exist_ok=True, mode=0o700)
    if top.stat().st_uid != os.getuid():
        raise Refused(f"{top} belongs to another user; give another folder with --scratch")
    number = 0
    while True:
        lock = os.open(top / f"{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            number += 1
            continue
        try:
            clone = top / str(number)
            _end_processes_in(clone)
            _at_commit(clone, job)
            yield clone
            return
        finally:
            os.close(lock)


def _at_commit(clone: Path, job: Job) -> None:
    """Make the clone if it is not there, or is one of another repository, and check the commit out."""
    repository, commit = job["repository"], job["commit"]
    if clone.is_dir() and _git(clone, "config", "remote.origin.url", check=False) != repository:
        shutil.rmtree(clone)
    if not clone.is_dir():
        fresh = clone.with_name(f"{clone.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        _git(clone.parent, "clone", "--quiet", "--no-checkout", "--", repository, str(fresh))
        fresh.rename(clone)
    if not _has(clone, commit):
        _git(clone, "fetch", "--quiet", "origin")
    if not _has(clone, commit):
        raise Refused(f"{repository} has no commit {commit[:10]}; push it: git push")
    (clone / ".git" / "index.lock").unlink(missing_ok=True)  # of a killed worker
    _git(clone, "checkout", "--quiet", "--force", "--detach", commit)
    under = "" if job["folder"] == "." else f"/{job['folder']}"
    _git(clone, "clean", "-ffdxq", *(part for kept in KEPT for part in ("--exclude", f"{under}{kept}")))


def _has(clone: Path, commit: str) -> bool:
    return _git(clone, "cat-file", "-t", commit, check=False) == "commit"


def _git(folder: Path, *command: str, check: bool = True) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or "SSH" in name}
    environment = {**kept, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    done = subprocess.run(
        ["git", *command], cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        errors="replace", check=False,
    )  # fmt: skip
    if check and done.returncode:
        raise Refused(f"git {command[0]} fails: {git_reason(done.stderr)}")
    return done.stdout.strip()


def git_reason(said: str) -> str:
    """The line of git's messages that says why."""
    lines = said.strip().splitlines() or ["no message"]
    return next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1])


def _end_processes_in(clone: Path) -> None:
    """End what a killed worker has left in the clone: its stage may still be writing."""
    import psutil

    me = psutil.Process()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            ours = process.uids().real == os.getuid() and process != me
            if ours and Path(process.cwd()).is_relative_to(clone.resolve()):
                process.kill()
                process.wait(10)


def _prepare(project: Path, job: Job) -> None:
    """Tell DVC the remote, and write down the results of the stages before."""
    if not (project / ".dvc").is_dir():
        raise Refused(f"{job['repository']} at {job['commit'][:10]} has no folder .dvc in {job['folder']}")
    name, url = job["remote"]["name"], job["remote"]["url"]
    lines = ["[core]", f"    remote = {name}", f"['remote \"{name}\"']", f"    url = {url}", ""]
    (project / ".dvc" / "config.local").write_text("\n".join(lines), encoding="utf-8")
    (project / RESULTS / "new").mkdir(parents=True)
    for file, content in job["results"].items():
        (project / RESULTS / file).write_bytes(content)


def _command(project: Path, job: Job) -> tuple[int, str]:
    """Run the worker command in the clone; return its exit code, or minus the signal that ended it, and its output."""
    parent, log = os.getpid(), project / RESULTS / "worker.log"
    command = [sys.executable, "-m", "pipeline", "fan-out", "--worker", job["stage"], "--results", str(RESULTS)]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=project, env=_environment(job), stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            start_new_session=True, preexec_fn=lambda: _end_with(parent),
        )  # fmt: skip
        _running.add(process)
        try:
            code = process.wait()
        finally:
            _kill(process)
            _running.discard(process)
    return code, log.read_bytes()[-TAIL:].decode("utf-8", "replace")


def stop() -> None:
    """Kill the worker commands of this process."""
    for process in list(_running):
        _kill(process)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _environment(job: Job) -> dict[str, str]:
    """The variables of this machine, without those of the cluster and the driver, and with those of the job."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED_ON) and name not in THREADS
    }
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    return {**kept, "PATH": path, **job["environment"]}


def _end_with(parent: int) -> None:
    """Let the system kill this process when its parent ends, by whatever signal."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
