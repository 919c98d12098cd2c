"""The two sides of textbook_procedure.py: trainings that print their validations, and the time of their steps alone."""

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.textbook_networks import CHAPTERS, procedure

CHECKS = 8  # validations in an epoch of the project
TRIED = 500  # rows of the procedure in a try
SEED = 42


def say(**figures: Any) -> None:
    print(json.dumps(figures), flush=True)


def age() -> float:
    """Seconds since this process started."""
    import psutil

    return time.time() - psutil.Process().create_time()


class Clock:
    """The time of training steps. The first one is apart."""

    def __init__(self) -> None:
        self.steps, self.seconds, self.processor = 0, 0.0, 0.0
        self.since = time.perf_counter(), time.process_time()

    def goes_on(self) -> None:
        self.since = time.perf_counter(), time.process_time()

    def step(self) -> None:
        seconds, processor = time.perf_counter() - self.since[0], time.process_time() - self.since[1]
        if self.steps:
            self.seconds, self.processor = self.seconds + seconds, self.processor + processor
        else:
            say(first=seconds)
        self.steps += 1
        self.goes_on()

    def validated(self, epochs: float, value: float) -> None:
        """Print a validation; the time since the last step does not count."""
        say(epochs=epochs, seconds=self.seconds, processor=self.processor, value=value)
        self.goes_on()


def loaded(name: str, data: Path) -> tuple[Any, Any, Any]:
    """Return the row of an experiment, its prepared data and its task."""
    from pipeline import artifacts
    from pipeline.artifacts import Project
    from pipeline.stages import parameters
    from pipeline.tasks import task_named

    row = parameters(Project(data)).experiment(name)
    return row, artifacts.load_encoded(Project(data).prepared(row.dataset)), task_named(row.task)


def constant(encoded: Any) -> float | None:
    """Return the share of the training part's most frequent tag in the validation part; None without tags."""
    if "tags" not in encoded.arrays:
        return None
    part, tags = np.repeat(encoded.arrays["split"][0], np.diff(encoded.arrays["offsets"])), encoded.arrays["tags"]
    return float(np.mean(tags[part == 1] == np.bincount(tags[part == 0]).argmax()))


def textbook(name: str, data: Path, epochs: float) -> None:
    """Train the textbook's procedure under `fit`. epochs: 0 for all; -1 for one with TRIED rows."""
    import keras

    _, encoded, task = loaded(name, data)
    keras.utils.set_random_seed(SEED)
    chapter, made = CHAPTERS[name], procedure(name, encoded)
    used = made if epochs >= 0 else made._replace(x=made.x[:TRIED], y=made.y[:TRIED])
    clock, metric = Clock(), task.primary_metric

    def validate(epoch: int, logs: Any) -> None:
        clock.validated(epoch + 1, task.score(encoded, "validation", used.predict())[metric.name])

    def begin(logs: Any) -> None:
        say(start=age(), figure=metric.name, higher=bool(metric.higher_is_better), constant=constant(encoded))
        clock.goes_on()

    watch = keras.callbacks.LambdaCallback(
        on_train_begin=begin, on_train_batch_end=lambda batch, logs: clock.step(), on_epoch_end=validate
    )
    count = int(epochs) if epochs > 0 else chapter.epochs if epochs == 0 else 1
    used.model.fit(used.x, used.y, chapter.batch_size, count, verbose=0, callbacks=[watch])


class Watch:
    """Watches a training of the project: validates it within epochs, and stops it when it is good enough."""

    def __init__(self, row: Any, encoded: Any, task: Any, until: float) -> None:
        self.encoded, self.task, self.until, self.metric = encoded, task, until, task.primary_metric
        self.clock, self.steps = Clock(), 0
        self.average: Any = None
        self.trainer: Any = None

    def begins(self, number: int, runs: int, phase: str, epochs: int, steps: int, after: int) -> None:
        from pipeline.layers.loops import machine_code

        self.steps = steps
        kept = any(machine_code.folder().glob("*.nbc"))
        say(start=age(), figure=self.metric.name, higher=bool(self.metric.higher_is_better), machine_code=kept)
        self.clock.goes_on()

    def step(self, loss: float) -> None:
        self.clock.step()
        if self.clock.steps % max(1, self.steps // CHECKS):
            return
        with self.average:
            predictions = self.trainer.predictor.predict("validation", ("train",), 0)
        value = self.task.score(self.encoded, "validation", predictions)[self.metric.name]
        self.clock.validated(self.clock.steps / self.steps, value)
        if value >= self.until if self.metric.higher_is_better else value <= self.until:
            raise StopIteration

    def resumes(self, *_: Any) -> None: ...

    def epoch(self, *_: Any) -> None: ...


def project(name: str, data: Path, until: float) -> None:
    """Train the project's experiment as `train` does, without its own validations, until it is good enough."""
    row, encoded, task = loaded(name, data)
    row = row.model_copy(update={"repeats": 1, "refit": False})
    from pipeline.training import fit, repeats

    watch = Watch(row, encoded, task, until)

    def average(model: Any, momentum: float) -> Any:
        watch.average = made_by(model, momentum)
        return watch.average

    made_by, fit.Average = fit.Average, average  # type: ignore[assignment,misc]
    fit._validated = lambda course, network, epoch, *_: course.fitted.__setattr__("best_epoch", epoch) or {}
    watch.trainer = repeats.Trainer(task, row, encoded, progress=watch)  # type: ignore[arg-type]
    with contextlib.suppress(StopIteration):
        watch.trainer.trained(SEED, 0, name)
