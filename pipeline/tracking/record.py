"""Record what a stage logs to MLflow as plain data, which can be sent at once or stored in a folder and sent later."""

import math
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pipeline.artifacts import load_json, save_json

MAX_DIGEST = 36  # MLflow's limit, the length of DVC's md5 of a folder, `….dir`
Context = Literal["training", "validation", "test"]
Status = Literal["FINISHED", "FAILED", "KILLED"]


def now() -> int:
    """Return the time in milliseconds since 1970, as MLflow counts it."""
    return time.time_ns() // 1_000_000


def readable(milliseconds: int) -> str:
    """Return a time in milliseconds since 1970 as people read it, such as 2026-01-31 13:45 UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


class Metric(NamedTuple):
    """One number of a curve.

    timestamp: in milliseconds since 1970.
    dataset: the data set of the run on which the model was measured, or "" for a number of the run alone.
    """

    key: str
    value: float
    step: int
    timestamp: int
    dataset: str = ""


class DatasetInput(NamedTuple):
    name: str
    source_uri: str
    digest: str
    context: Context


class Attachment(NamedTuple):
    """A file or folder on disk, and the artifact folder to which it is uploaded."""

    path: str
    into: str


@dataclass(frozen=True)
class ModelFolder:
    """A trained model that MLflow can serve; see Journal.model."""

    name: str
    folder: str
    served_by: str
    package: str
    example: Any
    output: Any
    parameters: dict[str, Any] | None
    requirements: list[str]


class View(NamedTuple):
    """A saved view of an experiment's table and charts. key: in its address. state: as MLflow stores it, JSON-able."""

    key: str
    name: str
    state: dict[str, Any]


class Page(NamedTuple):
    """The page of an MLflow experiment: a note, and its saved views."""

    note: str
    views: list[View]


@dataclass
class Content:
    """The content of a journal, JSON-able; `start` and `end` are in milliseconds since 1970."""

    stage: str
    run_key: str
    source: str
    run_name: str
    start: int
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: list[Metric] = field(default_factory=list)
    datasets: list[DatasetInput] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    note: str = ""
    page: Page | None = None
    children: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    model: ModelFolder | None = None
    status: Status | None = None
    end: int | None = None


class Journal:
    """Collects what one stage logs into the run `run_key` of the MLflow experiment `source`.

    The first journal that arrives opens the run, so all stages of a training must pass the same `run_key` (uuid4 hex),
    `source`, `run_name` and `start` (milliseconds since 1970). Raises ValueError for an invalid run_key or stage.
    """

    def __init__(self, stage: str, run_key: str, source: str, run_name: str, start: int) -> None:
        if not re.fullmatch(r"[0-9a-f]{32}", run_key):
            raise ValueError(f"run_key: found {run_key!r}; it must be 32 hex digits, as uuid.uuid4().hex makes them")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", stage):
            raise ValueError(f"stage: found {stage!r}; it must be one lower-case word, such as 'train'")
        self.content = Content(stage, run_key, source, run_name, start)

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters, as text."""
        self.content.params.update({name: str(value) for name, value in values.items()})

    def tags(self, values: Mapping[str, Any]) -> None:
        """Log tags, as text; values that are None are left out."""
        self.content.tags.update({name: str(value) for name, value in values.items() if value is not None})

    def metric(self, name: str, value: float, step: int = 0, timestamp: int | None = None, dataset: str = "") -> None:
        """Log one number. Raises ValueError for NaN and infinities; MLflow would store the latter as 1.8e308."""
        if not math.isfinite(value):
            raise ValueError(f"metric {name} at step {step}: found {value}; it must be a finite number")
        at = now() if timestamp is None else int(timestamp)
        self.content.metrics.append(Metric(name, float(value), int(step), at, dataset))

    def metrics(
        self, values: Mapping[str, float], step: int = 0, timestamp: int | None = None, dataset: str = ""
    ) -> None:
        """Log several numbers at the same step and time."""
        at = now() if timestamp is None else timestamp
        for name, value in values.items():
            self.metric(name, value, step, at, dataset)

    def dataset(self, name: str, source_uri: str, digest: str, context: Context) -> None:
        """Log a data set of the run. Raises ValueError if `digest`, DVC's md5, is empty or too long for MLflow."""
        if not 0 < len(digest) <= MAX_DIGEST:
            raise ValueError(f"dataset {name}: digest {digest!r} must have 1 to {MAX_DIGEST} characters")
        self.content.datasets.append(DatasetInput(name, source_uri, digest, context))

    def text(self, path: str, text: str) -> None:
        """Log a text as the artifact `path`."""
        self.content.texts[path] = text

    def note(self, text: str) -> None:
        """Set the description at the top of the run's page, in Markdown.

        Placeholders for addresses that only the store knows are filled in on delivery: `run:<run_key>`,
        `model:<run_key>`, `compare:<run_key>,<run_key>`, `experiment:` of this journal; also `{tag:name}` and
        `{param:name}` of the run.
        """
        self.content.note = text

    def experiment(self, note: str, views: Iterable[View]) -> None:
        """Set the note of the MLflow experiment, with the same placeholders, and its saved views."""
        self.content.page = Page(note, list(views))

    def child(self, run_key: str) -> None:
        """Make another run a child of this one in MLflow's table; it leaves its former parent."""
        self.content.children.append(run_key)

    def artifact(self, path: Path, into: str = "") -> None:
        """Log a file, or the content of a folder, into the artifact folder `into`. Raises FileNotFoundError."""
        self.content.attachments.append(Attachment(_existing(path), into))

    def model(
        self,
        folder: Path,
        name: str,
        *,
        served_by: Path,
        example: Any,
        output: Any,
        requirements: Iterable[str],
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        """Log the trained model in `folder`, served by the Python file `served_by`. Raises FileNotFoundError.

        served_by: calls `mlflow.models.set_model` at its end, gets the folder as `context.artifacts["model"]`, and may
        import `pipeline`, which is logged with the model.
        example, output, parameters: raw input (a list), the answer to it, and the parameters of an answer with their
        defaults, all JSON-able. The signature is made from them, without a prediction.
        """
        paths = (_existing(folder), _existing(served_by), _existing(Path(__file__).parents[1]))
        settings = None if parameters is None else dict(parameters)
        self.content.model = ModelFolder(name, *paths, example, output, settings, list(requirements))

    def finish(self, status: Status = "FINISHED", end: int | None = None) -> None:
        """Close the run at `end`, in milliseconds since 1970; the default is now."""
        self.content.status, self.content.end = status, now() if end is None else end

    def save(self, folder: Path) -> None:
        """Save into an empty folder, with copies of all files, since the stage may rerun before they are sent."""
        content, model = self.content, self.content.model
        attachments = [
            Attachment(_copy(item.path, folder, f"files/{number}"), item.into)
            for number, item in enumerate(content.attachments)
        ]
        if model is not None:
            model = replace(
                model,
                folder=_copy(model.folder, folder, "model/folder"),
                served_by=_copy(model.served_by, folder, "model/served_by"),
                package=_copy(model.package, folder, "model/package"),
            )
        save_json(folder / "journal.json", asdict(replace(content, attachments=attachments, model=model)))


def load(folder: Path) -> Content:
    """Load a saved journal, with paths that point into `folder`. Raises DataError if it is damaged."""
    stored = load_json(folder / "journal.json")
    stored["metrics"] = [Metric(*row) for row in stored["metrics"]]
    stored["datasets"] = [DatasetInput(*row) for row in stored["datasets"]]
    stored["attachments"] = [Attachment(str(folder / path), into) for path, into in stored["attachments"]]
    if stored.get("page") is not None:
        stored["page"] = _page(*stored["page"])
    if stored["model"] is not None:
        stored["model"].update({key: str(folder / stored["model"][key]) for key in ("folder", "served_by", "package")})
        stored["model"] = ModelFolder(**stored["model"])
    return Content(**stored)


def _page(note: str, *rest: Any) -> Page:
    """Return a page as it was stored; former versions of the pipeline stored the name and state of one view."""
    views = [("result", *rest)] if len(rest) == 2 else rest[0]
    return Page(note, [View(*view) for view in views])


def _existing(path: Path) -> str:
    if not path.exists():
        raise FileNotFoundError(f"{path}: not found, so it cannot be logged")
    return str(path.absolute())


def _copy(path: str, folder: Path, into: str) -> str:
    source, target = Path(path), folder / into / Path(path).name
    target.parent.mkdir(parents=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(source, target)
    return str(target.relative_to(folder))
