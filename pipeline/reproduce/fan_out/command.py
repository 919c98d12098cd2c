"""The command `fan-out`: its options, and what each of them starts."""

import argparse
import os
from functools import partial
from typing import TYPE_CHECKING

from pipeline.artifacts import Project
from pipeline.errors import UserError

if TYPE_CHECKING:
    from pipeline.reproduce.fan_out.executors import Executor
    from pipeline.reproduce.fan_out.fan_out import Settings


def run(project: Project, options: argparse.Namespace) -> None:
    """Run what the options name. Raises UserError."""
    if options.worker is not None:
        if options.results is None:
            raise UserError("--worker: give --results too, the folder with the results of the stages before this one")
        from pipeline.reproduce.fan_out import worker  # without what only the driver imports

        seconds = worker.work(project, options.worker, options.results)
        print(f"{options.worker}: " + ", ".join(f"{part} {spent:.1f} s" for part, spent in seconds.items()))
        return
    from pipeline.reproduce.fan_out import fan_out

    if options.plan:
        fan_out.print_waves(project, options.target)
    else:
        fan_out.run(project, _settings(project, options), partial(_executor, options))


def _settings(project: Project, options: argparse.Namespace) -> "Settings":
    from pipeline.reproduce.fan_out.fan_out import Settings

    elsewhere = options.executor == "ray"
    # On this machine the clones are on the project's disk; another machine has its own folder for temporary files.
    scratch = options.scratch or ("" if elsewhere else str(project.root / ".dvc" / "tmp" / "clones"))
    return Settings(options.target, options.repository, scratch, options.results, elsewhere)


def _executor(options: argparse.Namespace) -> "Executor":
    from pipeline.reproduce.fan_out.executors import Local

    if options.executor == "ray":
        from pipeline.reproduce.fan_out.on_ray import OnRay

        return OnRay(os.environ.get("RAY_ADDRESS", ""), options.cpus)
    workers = os.cpu_count() or 1 if options.workers is None else options.workers
    if workers < 1:
        raise UserError(f"--workers: found {workers}; it must be 1 or more")
    return Local(workers)
