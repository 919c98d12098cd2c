"""The workers of a training on the machines of a Ray cluster, one on each, none on the machine of worker 0."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.errors import UserError
from pipeline.training.crew import Offer

CORES = 2  # of each worker, as many as a training uses
SECONDS = 60.0  # in which the cluster must have them free


class OnRay:
    """Tasks of Ray that run `run(offer)`, which returns when the training ends.

    Raises UserError if the cluster has no room for them.
    """

    def __init__(self, ray: Any, run: Callable[[Offer], None], offers: Sequence[Offer]) -> None:
        self.ray, workers = ray, len(offers) + 1
        placement = _module("placement_group")
        here = f"node:{ray.util.get_node_ip_address()}"
        bundles = [{here: 0.001}, *({"CPU": CORES} for _ in offers)]
        self.group = placement.placement_group(bundles, strategy="STRICT_SPREAD")
        if not self.group.wait(SECONDS):
            placement.remove_placement_group(self.group)
            raise UserError(
                f"workers: {workers} on Ray needs {workers - 1} machines of the cluster next to this one, with {CORES} "
                f"free cores each, and did not have them for {SECONDS:.0f} s; `ray status` shows what it has. Lower "
                f"workers, or set executor: local"
            )
        strategy = _module("scheduling_strategies").PlacementGroupSchedulingStrategy
        # A process of its own for each training: some settings are read when TensorFlow is imported.
        task = ray.remote(max_retries=0, max_calls=1, num_cpus=CORES)(run)
        self.tasks = [
            task.options(scheduling_strategy=strategy(self.group, placement_group_bundle_index=i)).remote(offer)
            for i, offer in enumerate(offers, start=1)
        ]

    def ended(self, worker: int, patience: float = 0.0) -> str | None:
        """Say how a worker ended."""
        done, _ = self.ray.wait([self.tasks[worker - 1]], timeout=patience)
        if not done:
            return None
        try:
            self.ray.get(done)
        except Exception as error:  # Ray has many kinds, and passes those of the task on
            return f"has failed ({type(error).__name__})"
        return "has ended"

    def close(self) -> None:
        """Wait for the tasks, which end with their connections, and give the machines back."""
        self.ray.wait(self.tasks, num_returns=len(self.tasks), timeout=SECONDS)
        _module("placement_group").remove_placement_group(self.group)


def _module(name: str) -> Any:
    return importlib.import_module(f"ray.util.{name}")
