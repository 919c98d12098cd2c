"""What a training runs on: commit, versions, CI job, and the use of processor and memory."""

import importlib
import os
import platform
import subprocess
import threading
from collections import defaultdict
from importlib import metadata
from types import TracebackType
from typing import Any, Self

from pipeline.artifacts import Project
from pipeline.tracking.record import Metric, now

MAX_CHANGES = 20  # names of changed files
PACKAGES = ("tensorflow", "keras", "mlflow", "dvc", "numpy")


def environment_tags(project: Project) -> dict[str, str]:
    """Collect the origin of a run: git commit, DVC stage and experiment, versions; what is unknown is left out."""
    commit = _git(project, "rev-parse", "HEAD")
    # without the lock files and the reports, which change while DVC runs
    changes = _git(project, "status", "--porcelain", "--", ".", ":(exclude)*dvc.lock", ":(exclude)reports")
    names = [line.split(maxsplit=1)[1] for line in (changes or "").splitlines()]
    tags = {
        "python_version": platform.python_version(),
        "mlflow.source.git.commit": commit,
        "git_dirty": None if changes is None else str(bool(changes)).lower(),
        "git_changes": ", ".join(names[:MAX_CHANGES]),
        "processors": str(os.cpu_count()),
        "memory": f"{importlib.import_module('psutil').virtual_memory().total / 1e9:.1f} GB",
        "job": job(),
        "dvc_stage": os.environ.get("DVC_STAGE"),
        "dvc_experiment": os.environ.get("DVC_EXP_NAME"),
        "dvc_baseline": os.environ.get("DVC_EXP_BASELINE_REV"),
        **{f"{name}_version": _version(name) for name in PACKAGES},
    }
    return {name: value for name, value in tags.items() if value}


def job() -> str | None:
    """Return the address of the CI job, or None outside CI."""
    if "GITHUB_RUN_ID" not in os.environ:
        return None
    return "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}".format_map(
        defaultdict(str, os.environ)
    )


def _git(project: Project, *command: str) -> str | None:
    # without optional locks, git status never blocks a git command that DVC runs at the same time
    quiet = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    line = ["git", *command]
    try:
        done = subprocess.run(
            line, cwd=project.root, env=quiet, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


class SystemMonitor:
    """Samples processor and memory use while its block runs; `rows` are metrics, named as in MLflow's System tab."""

    def __init__(self, every: float = 5.0) -> None:
        """Set up the monitor. every: seconds between two samples."""
        self.rows: list[Metric] = []
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._psutil: Any = importlib.import_module("psutil")  # it has no types

    def __enter__(self) -> Self:
        self._psutil.cpu_percent()  # the first call only starts the measurement
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._sample()  # so that even a short training has a sample

    def _watch(self) -> None:
        while not self._over.wait(self._every):
            self._sample()

    def _sample(self) -> None:
        memory, at, step = self._psutil.virtual_memory(), now(), len(self.rows) // 4
        values = {
            "cpu_utilization_percentage": self._psutil.cpu_percent(),
            "system_memory_usage_megabytes": memory.used / 1e6,
            "system_memory_usage_percentage": memory.percent,
            "process_memory_megabytes": self._psutil.Process().memory_info().rss / 1e6,
        }
        self.rows += [Metric(f"system/{name}", round(value, 1), step, at) for name, value in values.items()]
