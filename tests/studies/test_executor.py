"""The pool of a study or tuning: as many workers as there are cores, trials and room in memory, and none afterwards."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import Project
from pipeline.encoding.records import Encoded
from pipeline.studies import executor
from pipeline.studies.pool import LocalPool
from tests.studies.known import made


@dataclass
class Fake:
    """The data of an experiment: 200 MB."""

    encoded: Encoded = field(default_factory=lambda: Encoded({"x": np.zeros(200_000_000, np.uint8)}, {}, {}, {}))


TRIALS = [made({"units": units}) for units in range(6)]


@pytest.mark.parametrize(("memory", "cores", "trials", "workers"), [
    (64e9, 4, 6, 4),  # a core each
    (64e9, 16, 6, 6),  # a trial each
    (4.5e9, 16, 6, 3),  # 1.04 GB each: 0.6 of the process, 0.04 of the parameters, twice the data
    (1e9, 16, 6, 1),
    (64e9, 16, 0, 1),
])  # fmt: skip
def test_workers_fit_the_machine(
    memory: float, cores: int, trials: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "in_child", lambda _: (1e6, memory))
    monkeypatch.setattr(executor, "cores", lambda: cores)
    addresses: Any = Fake()
    assert executor.workers(addresses, TRIALS[:trials]) == workers


def test_a_pool_is_closed_whatever_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Any] = []
    monkeypatch.setattr(LocalPool, "close", lambda pool: closed.append(pool))
    addresses: Any = Fake()
    with (
        pytest.raises(ZeroDivisionError),
        executor.pool_for(Project(tmp_path), "local", addresses, []) as pool,
    ):
        _ = 1 / 0
    assert closed == [pool]
