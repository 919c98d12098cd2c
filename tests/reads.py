"""What a stage reads: the files and folders that it opens, and the settings that it looks at."""

import contextlib
import importlib
import inspect
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

from pipeline.config.schema.params import Params

TABLES = ("sources", "own", "recipes", "datasets", "experiments")
MODULES = {"import": "download"}
Setting = tuple[str, ...]
_now: "list[Read]" = []  # what is being recorded


@dataclass
class Read:
    """Of one stage in `root`: paths below it, and settings, such as ("seed",) or ("datasets", "digits")."""

    root: Path
    paths: set[str] = field(default_factory=set)
    settings: set[Setting] = field(default_factory=set)


@contextlib.contextmanager
def of(stage: str, root: Path, into: "dict[tuple[str, str], Read]", name: str = "") -> Iterator[None]:
    """Record into[stage, name] what the stage reads during the block."""
    module = importlib.import_module(f"pipeline.stages.{MODULES.get(stage, stage)}")
    read = into[stage, name] = Read(root)
    original = module.parameters  # type: ignore[attr-defined]
    module.parameters = lambda project: Watched(original(project), read)  # type: ignore[attr-defined]
    _now.append(read)
    try:
        yield
    finally:
        _now.clear()
        module.parameters = original  # type: ignore[attr-defined]


def _hook(event: str, arguments: "tuple[Any, ...]") -> None:
    if (
        not _now
        or event not in ("open", "os.listdir", "os.scandir")
        or not isinstance(arguments[0], str | bytes | Path)
    ):
        return
    if event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        return
    path = Path(os.fsdecode(arguments[0]))
    if path.is_relative_to(_now[0].root):
        _now[0].paths.add(path.relative_to(_now[0].root).as_posix())


sys.addaudithook(_hook)


class Watched:
    """Params that write down what is looked at, except by modules that only tell MLflow of it."""

    def __init__(self, params: Params, read: Read) -> None:
        self._params, self._read = params, read

    def __getattr__(self, name: str) -> Any:
        written = inspect.getattr_static(type(self._params), name, None)
        if isinstance(written, FunctionType):
            return MethodType(written, self)
        value = getattr(self._params, name)
        if name in TABLES:
            return Table(name, value, self._read)
        if name != "files" and not _for_mlflow():
            self._read.settings.add((name,))
        return value


class Table(Mapping[str, Any]):
    """Rows; ("datasets", "*") is written down if somebody goes through all of them."""

    def __init__(self, name: str, rows: Mapping[str, Any], read: Read) -> None:
        self._name, self._rows, self._read = name, rows, read

    def __getitem__(self, key: str) -> Any:
        if not _for_mlflow():
            self._read.settings.add((self._name, key))
        return self._rows[key]

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[str]:
        if not _for_mlflow():
            self._read.settings.add((self._name, "*"))
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _for_mlflow() -> bool:
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("pipeline.tracking"):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
