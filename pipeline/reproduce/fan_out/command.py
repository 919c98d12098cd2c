"""The command `fan-out`: its options, and what each of them starts."""

import argparse
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UserError

if TYPE_CHECKING:
    from pipeline.artifacts import Project
    from pipeline.reproduce.fan_out.executors import Executor
    from pipeline.reproduce.fan_out.fan_out import Settings


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to the command's parser."""
    add = parser.add_argument
    add("target", nargs="*", type=str, help="stages, with all before them, as for dvc repro (default: all)")
    add("--executor", choices=("local", "ray"), default="local", help="this machine (default) or a cluster")
    add("--workers", type=int, help="stages at once on this machine (default: one for each core)")
    add("--cpus", type=float, default=1, help="cores that Ray reserves for a stage (default: 1)")
    add("--repository", type=str, help="what workers clone (default: this one; with ray: its git remote)")
    add("--scratch", type=str, default="", help="folder for the clones, on each machine")
    add("--results", type=Path, help="folder for the results of stages (default: below .dvc/tmp)")
    add("--plan", action="store_true", help="print what must run as JSON, in groups that can run at once")
    add("--worker", type=str, metavar="STAGE", help="run one stage in this clone, and push what it makes")


def run(project: "Project", options: argparse.Namespace) -> None:
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


def _settings(project: "Project", options: argparse.Namespace) -> "Settings":
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
