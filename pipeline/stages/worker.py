"""A worker of a data-parallel training: the process that computes the gradients of its part of each batch.

`train` starts workers on this machine, each as `python -m pipeline.stages.worker`, or on a cluster. A worker ends when
its training does.
"""

import contextlib
import functools
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, TypeAdapter

from pipeline.config.schema.networks import ExperimentRows
from pipeline.config.schema.params import Params

if TYPE_CHECKING:
    from pipeline.training.crew import Crew

LONGEST = 300  # characters of an error


def set_backend(row: ExperimentRows) -> None:
    """Set what TensorFlow and Keras read when they are imported."""
    os.environ["KERAS_BACKEND"] = row.backend
    if row.precision == "bfloat16":
        os.environ["ONEDNN_DEFAULT_FPMATH_MODE"] = "BF16"


def crew(params: Params, row: ExperimentRows, encoder: Mapping[str, Any]) -> AbstractContextManager["Crew | None"]:
    """Return a context with the other workers of a training, or with None if one process trains."""
    if row.workers == 1:
        return contextlib.nullcontext()
    if params.executor == "ray":
        return _on_ray(row, encoder)
    from pipeline.training.crew import Crew

    return Crew(row.workers, setup(row, encoder))


@contextlib.contextmanager
def _on_ray(row: ExperimentRows, encoder: Mapping[str, Any]) -> Iterator["Crew"]:
    """The workers get the code from here; nothing else than Python's packages must be on their machines."""
    from pipeline.cluster.connection import VARIABLE, connected
    from pipeline.training.crew import Crew
    from pipeline.training.on_ray import OnRay

    environment = {"py_modules": [str(Path(__file__).parents[1])], "excludes": ["__pycache__"]}
    with connected(os.environ.get(VARIABLE, ""), runtime_env=environment) as ray:
        launch = functools.partial(OnRay, ray, run)
        with Crew(row.workers, setup(row, encoder), launch, ray.util.get_node_ip_address()) as made:
            yield made


def setup(row: ExperimentRows, encoder: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a worker builds its network from."""
    return {"row": row.model_dump(mode="json"), "encoder": dict(encoder)}


def run(offer: Mapping[str, Any]) -> None:
    """Join the training that made the offer, and compute gradients until it ends."""
    from pipeline.training.wire import connected

    with contextlib.suppress(OSError, EOFError):  # the training has ended
        wire = connected(offer["host"], offer["port"], bytes.fromhex(offer["key"]))
        try:
            wire.send({"number": offer["number"]})
            _serve(wire, wire.receive()[0], offer["number"])
        except (OSError, EOFError):
            pass
        except Exception as error:
            wire.send({"error": f"{type(error).__name__}: {' '.join(str(error).split())[:LONGEST]}"})
            while True:  # until the training has read that and ends: a connection that closes early would lose it
                wire.receive()
        finally:
            wire.close()


def _serve(wire: Any, facts: Mapping[str, Any], number: int) -> None:
    row: ExperimentRows = TypeAdapter(Annotated[ExperimentRows, Field(discriminator="task")]).validate_python(
        facts["row"]
    )
    set_backend(row)
    from pipeline.tasks import task_named  # after the back end is set
    from pipeline.training.repeats import streams
    from pipeline.training.shards import Shard, serve

    module = task_named(row.task).network()
    serve(wire, Shard(module.build(row, facts["encoder"], streams(row, row.workers)), module.loss(row)), number)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the training, and that ends this process
    run(json.loads(sys.stdin.readline()))
