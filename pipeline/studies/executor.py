"""The pool that params.yaml names, with as many workers as the machine can carry."""

import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pipeline.artifacts import Project
from pipeline.config.schema.studies import Executor
from pipeline.studies.plan import parameters_of
from pipeline.studies.pool import LocalPool, Pool, cores, in_child
from pipeline.studies.trial import Addresses, Trial

USABLE = 0.8  # of the memory
PROCESS = 0.6e9


def refuse_missing(executor: Executor) -> None:
    """Raise UserError if the executor is Ray, and it is not installed or its cluster does not answer."""
    if executor == "ray":
        connection = importlib.import_module("pipeline.cluster.connection")  # no local study depends on it
        connection.refuse_missing(os.environ.get(connection.VARIABLE, ""))


@contextmanager
def pool_for(project: Project, executor: Executor, addresses: Addresses, trials: Sequence[Trial]) -> Iterator[Pool]:
    """Give a pool, and end what runs in it afterwards. trials: what it is for, or as many and as large ones."""
    pool: Pool
    if executor == "ray" and trials:
        pool = importlib.import_module("pipeline.studies.ray_pool").RayPool(project)
    else:
        pool = LocalPool(project, workers(addresses, trials))
    try:
        yield pool
    finally:
        pool.close()


def workers(addresses: Addresses, trials: Sequence[Trial]) -> int:
    """Return as many as there are processors, if the memory suffices."""
    if not trials:
        return 1
    estimate = importlib.import_module("pipeline.training.estimate")

    def memory() -> tuple[float, float]:
        rows = {str(sorted(trial.settings.items())): trial.row for trial in trials}.values()
        largest = max(parameters_of(row, addresses.encoded) for row in rows)
        return largest, estimate.memory_limit()

    parameters, limit = in_child(memory)
    each = PROCESS + 4.0 * 10 * parameters + 2.0 * sum(array.nbytes for array in addresses.encoded.arrays.values())
    return max(1, min(cores(), len(trials), int(USABLE * limit / each)))
