"""What a training will take: numbers by hand, refusals before anything is allocated, advice that fits when followed."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from pipeline.errors import ConfigError
from pipeline.tasks import TASKS
from pipeline.training.estimate import (
    Announcement,
    Estimate,
    count,
    duration,
    estimated,
    largest_batch,
    memory_limit,
    refuse_too_large,
    size,
)
from pipeline.training.fit import optimizer
from tests.tasks.case import CASES

GB = 1e9


def of(task: str, limit: float | None = None, **settings: Any) -> Estimate:
    case = CASES[task]
    module, row, encoded = case.task.network(), case.network_row(**settings), case.encoded()
    small = case.network_row()
    batch = largest_batch(module.feed(small, encoded, ("train",), 0))
    batch = (row.batch_size, getattr(row, "time_steps", batch[1]), *batch[2:])
    if limit is None:
        return estimated(module, row, encoded, batch)
    return refuse_too_large("big", module, row, encoded, batch, limit)


@pytest.mark.parametrize("task", TASKS)
def test_the_parameters_are_those_of_the_network(task: str) -> None:
    case = CASES[task]
    row, encoded = case.network_row(), case.encoded()
    built = case.task.network().build(row, encoded.encoder, row.batch_size if row.stateful else None)
    assert of(task).parameters == sum(int(np.prod(v.shape)) for v in built.trainable_variables)


@pytest.mark.fault("more-memory-than-there-is")
def test_a_network_of_a_thousand_million_parameters_is_refused_before_any_is_allocated() -> None:
    before = psutil.Process().memory_info().rss
    settings = {"cell": "lstm", "units": 4096, "layers": 8}
    with pytest.raises(ConfigError, match=r"experiments.big: training 1,0\d\d.\d M parameters needs about") as error:
        of("char_lm", 24 * GB, **settings)
    assert psutil.Process().memory_info().rss - before < 0.2 * GB
    advised = re.findall(r"(units|layers|embedding|batch_size|time_steps) to (\d+)", str(error.value))
    assert [name for name, _ in advised][:2] == ["units", "layers"]
    for name, value in advised:
        assert of("char_lm", 24 * GB, **{**settings, name: int(value)}).memory <= 0.8 * 24 * GB


@pytest.mark.fault("more-memory-than-there-is")
def test_a_large_batch_is_refused_with_a_smaller_one_and_the_advice_fits() -> None:
    settings = {"units": 512, "batch_size": 4096, "time_steps": 1000}
    with pytest.raises(ConfigError, match=r"a batch of 4096 × 1000") as error:
        of("char_lm", 24 * GB, **settings)
    advised = re.findall(r"(\w+) to (\d+)", str(error.value))
    assert [name for name, _ in advised][:2] == ["batch_size", "time_steps"]
    for name, value in advised:
        assert of("char_lm", 24 * GB, **{**settings, name: int(value)}).memory <= 0.8 * 24 * GB


def test_what_fits_is_not_refused() -> None:
    assert of("char_lm", 2 * GB).memory < 1 * GB


@pytest.mark.fault("more-memory-than-there-is")
def test_workers_count_and_fewer_of_them_are_advised() -> None:
    case = CASES["char_lm"]
    row, encoded, module = case.network_row(units=512), case.encoded(), case.task.network()
    alone, five = (estimated(module, row, encoded, (8, 20), others) for others in (0, 4))
    assert five.memory - alone.memory == 4 * (0.6e9 + 3 * 4 * alone.parameters)
    with pytest.raises(ConfigError, match=r"80% of the memory here is 1\.6 GB: set workers to 1$"):
        refuse_too_large("big", module, row, encoded, (8, 20), 2 * GB, others=4)
    assert refuse_too_large("big", module, row, encoded, (8, 20), 2 * GB).memory == alone.memory


def test_the_memory_grows_with_what_the_optimiser_and_the_average_keep() -> None:
    plain = of("char_lm", optimizer="sgd", units=512)
    assert of("char_lm", optimizer="adam", units=512).memory - plain.memory == 2 * 4 * plain.parameters
    assert of("char_lm", optimizer="sgd", units=512, ema_momentum=0.9).memory > plain.memory


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop", "sgd"])
def test_the_memory_of_an_optimiser_is_that_of_its_variables(name: str) -> None:
    case = CASES["char_lm"]
    row = case.network_row(optimizer=name, stateful=False)
    model = case.task.network().build(row, case.encoded().encoder, None)
    made = optimizer(row)
    made.build(model.trainable_variables)
    kept = sum(
        math.prod(variable.shape) for variable in made.variables if len(variable.shape)
    )  # but for rate and steps
    assert of("char_lm", optimizer=name).memory - of("char_lm", optimizer="sgd").memory == pytest.approx(4 * kept)


GROUPS = {
    "version 2": ("0::/job/task\n", {"job/task/memory.max": "max", "job/memory.max": "3000000000"}),
    "version 1": (
        "4:memory:/job\n3:cpu:/job\n",
        {"memory/job/memory.limit_in_bytes": "3000000000", "memory/memory.limit_in_bytes": "9223372036854771712"},
    ),
}


@pytest.mark.parametrize("version", GROUPS)
def test_the_limit_of_the_control_group_counts(version: str, tmp_path: Path) -> None:
    line, files = GROUPS[version]
    for name, content in {"proc/self/cgroup": line, **{f"sys/fs/cgroup/{n}": c for n, c in files.items()}}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert memory_limit(tmp_path) == 3e9


def test_without_control_groups_the_memory_of_the_computer_counts(tmp_path: Path) -> None:
    assert memory_limit(tmp_path) == psutil.virtual_memory().total


def announced(steps: int, seconds: float, epochs: int, networks: int, refit: int, capsys: Any) -> str:
    """The line after steps of `seconds` each, of which the first takes ten times as long."""
    clock = [0.0]
    made = Estimate(1_200_000, 0.1 * GB, 0.1 * GB, 0.0)
    watcher = Announcement("x", made, steps, epochs, networks, refit, lambda: clock[0])
    for epoch in range(1, 3):
        for step in range(steps):
            clock[0] += seconds * (10 if step == 0 and epoch == 1 else 1)
            watcher.step(1.0)
        watcher.epoch({"epoch": epoch, "seconds": steps * seconds})
    return str(capsys.readouterr().out)


def test_the_time_is_that_of_steps_after_the_first_and_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    line = announced(300, 0.1, 12, 1, 0, capsys)
    assert line == "x: 1.2 M parameters, about 0.8 GB, about 6 min: 12 epochs of 30 s\n"
    line = announced(4, 0.01, 10, 3, 6, capsys)
    assert line == (
        "x: 1.2 M parameters, about 0.8 GB, about 1.9 s: 10 epochs of 0.0 s and 6 of the refit, 3 networks\n"
    )
    assert "about 12 days: 100,000 epochs" in announced(1, 10.0, 100_000, 1, 0, capsys)


def test_numbers_are_said_as_people_say_them() -> None:
    assert [count(n) for n in (291, 12_345, 1_234_567, 1_006_907_487)] == ["291", "12,345", "1.2 M", "1,006.9 M"]
    assert [size(n * GB) for n in (0.64, 38.2, 3000)] == ["0.6 GB", "38.2 GB", "3,000 GB"]
    assert [duration(s) for s in (0.3, 40, 360, 18_000, 1e6)] == ["0.3 s", "40 s", "6 min", "5 h", "12 days"]
    assert math.isfinite(memory_limit())
