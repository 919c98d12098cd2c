"""One process at a time runs a stage, and none outlives the run of DVC that started it.

If DVC is killed, its stage lives on, and would replace the outputs of a later run. So it ends soon after DVC; if it
cannot, because it is stopped, the later run is refused. The lock is the kernel's: it ends with its process in any case.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from pipeline.errors import UserError
from pipeline.handover import FORKED, SHELLS, VARIABLE

PATIENCE = 10.0  # seconds in which a stage whose DVC was killed has ended
ALL_STAGES = "all stages"  # the claim of what reads or writes everything
LOOK_EVERY = 0.5  # seconds
_held: dict[Path, tuple[int, str]] = {}  # open file and name of what this process runs


@contextlib.contextmanager
def claimed(root: Path, claim: str, what: str = "", patience: float = PATIENCE) -> Iterator[None]:
    """Let no other process of the project in `root` hold the claim, such as `train@x`, during the block.

    what: this process in words, if that is not the claim. Raises UserError, which names the other process, if one still
    has the claim after `patience` seconds. A folder that is no project of DVC has no claims.
    """
    what = what or claim
    path = root / ".dvc" / "tmp" / "running" / hashlib.sha256(claim.encode()).hexdigest()[:16]
    file = _lock(path, patience) if (root / ".dvc").is_dir() else None
    if file is None:
        yield
        return
    try:
        with contextlib.suppress(OSError):  # a full disk
            os.truncate(file, 0)
            os.write(file, json.dumps({"pid": os.getpid(), "since": time.time(), "what": what}).encode())
        _held[path] = file, what
        yield
    finally:
        _held.pop(path, None)
        os.close(file)


def _lock(path: Path, patience: float) -> int | None:
    """Return the open lock file; None where there can be none: its folder is read-only, or has no locks."""
    deadline = time.monotonic() + patience
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return file
            except OSError:
                os.close(file)
                raise
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise UserError(_busy(path)) from None
        except OSError:
            return None
        time.sleep(0.1)


def _busy(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        pid, since, what = int(holder["pid"]), datetime.fromtimestamp(holder["since"]), holder["what"]
    except (OSError, ValueError, KeyError, TypeError):
        return f"another process holds {path}; wait until it has ended, and run the command again"
    when = f"{since:%Y-%m-%d %H:%M:%S}"
    return f"{what} has been run by process {pid} since {when}; wait until it has ended, or end it: kill -9 {pid}"


def refuse_if_lost() -> None:
    """Raise UserError if the lock of this process was deleted, and another process has made one since."""
    for path, (file, what) in _held.items():
        if os.path.exists(path) and not os.path.samestat(os.stat(path), os.fstat(file)):
            raise UserError(f"{what}: another process has started it since ({path} is new); nothing was replaced")


def end_with_caller() -> None:
    """End this process soon after the run of DVC that started it has ended, in whatever way.

    A stage that was forked from the warm process ends with that one.
    """
    if "DVC_STAGE" not in os.environ or os.environ.get(VARIABLE) == FORKED:
        return
    import psutil

    caller = psutil.Process().parent()
    if caller is not None and caller.name() in SHELLS:
        caller = caller.parent()
    if caller is None:
        return

    def gone() -> bool:
        try:
            return not caller.is_running() or caller.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    threading.Thread(target=_end_when, args=(gone, caller.pid), daemon=True).start()


def _end_when(gone: Callable[[], bool], pid: int) -> None:
    while not gone():
        time.sleep(LOOK_EVERY)
    with contextlib.suppress(OSError):
        print(f"error: process {pid}, which started this stage, has ended, so it ends too", file=sys.stderr, flush=True)
    os._exit(1)
