"""dvc.yaml and textbook/dvc.yaml against the code: a stage's deps are the files that change its results, no others."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.__main__ import STAGES
from pipeline.config import defaults
from pipeline.evaluation.task import Task
from pipeline.tasks import TASKS
from tests.shipped import SHIPPED, needs_rows

ROOT = Path(__file__).parents[1]
FILES = {"dvc.yaml": "params.yaml", "textbook/dvc.yaml": "textbook/params.yaml"}
PRESENT = {stages: params for stages, params in FILES.items() if (ROOT / stages).is_file()}

# Modules that stages import but whose edit changes no result, and therefore neither do the modules below them.
NOWHERE: dict[str, str] = {
    "pipeline/artifacts.py": "where files are and how they are written, not what is in them",
    "pipeline/config": "checks the settings, whose values DVC compares itself",
    "pipeline/download/http.py": "moves bytes; what arrives is compared with the pinned checksum",
    "pipeline/errors": "the kinds of errors, and what is said about them",
    "pipeline/evaluation/network.py": "what a network is made of",
    "pipeline/evaluation/raw_rows.py": "reads test rows for skew and the gate",
    "pipeline/evaluation/task.py": "what a task is made of",
    "pipeline/handover.py": "in which process a stage runs",
    "pipeline/integrity": "refuses damaged files, and a second process",
    "pipeline/progress.py": "what is seen while a training runs",
    "pipeline/raw_input.py": "reads what a served model is asked",
    "pipeline/sources/__init__.py": "the table of sources; a new row changes nothing for the others",
    "pipeline/stages/__init__.py": "reads the settings",
    "pipeline/stages/worker.py": "starts what computes; pipeline/training says what",
    "pipeline/tasks/__init__.py": "the table of tasks; a new row changes nothing for the others",
    "pipeline/tracking": "what MLflow is told is no output",
}
PREDICTIONS = {"pipeline/training/buckets.py": "only train and served models predict"}
EXCEPT: dict[str, dict[str, str]] = {
    "preprocess": {
        **PREDICTIONS,
        "pipeline/stages/download.py": "only the name of a file",
        "pipeline/evaluation/metric.py": "only the size of a rounding error",
    },
    "import": {
        "pipeline/download": "the user's own file is copied, not fetched",
        "pipeline/encoding/records.py": "nothing is read yet",
        "pipeline/sources/card.py": "the user's own file has no card",
    },
    "baseline": {**PREDICTIONS, "pipeline/evaluation/generated_text.py": "evaluate alone runs it"},
    "train": {"pipeline/evaluation/generated_text.py": "evaluate alone runs it"},
    "evaluate": PREDICTIONS,
    "study": {
        **PREDICTIONS,
        "pipeline/evaluation/generated_text.py": "trials generate no text",
        "pipeline/reporting/study.py": "only the note in MLflow",
    },
    "report": {**PREDICTIONS, "pipeline/evaluation/generated_text.py": "evaluate alone runs it"},
    "tune": {
        "pipeline/encoding": "is part of the address of a trial, and changes the model",
        "pipeline/evaluation": "the same",
        "pipeline/reporting": "changes the look of a picture, for which no trial is run again",
    },
    "index": {
        "pipeline/encoding/records.py": "only the names of the parts",
        "pipeline/evaluation/scoring.py": "only stored figures are read",
    },
}
# What stages take from a task although it changes none of their results.
LABELS = {"title": "text", "serving_example": "the signature of the MLflow model"}
# Modules that a stage runs by the row's name.
BY_ROW: dict[str, Callable[[Mapping[str, Any]], set[str]]] = {
    "download": lambda row: {f"pipeline/sources/{row['reader']}.py"},
    "import": lambda row: {f"pipeline/sources/{row.get('reader', 'own_text')}.py"},
}


@dataclass(frozen=True)
class Stage:
    """One stage with its row put in."""

    file: str
    group: str
    name: str
    cmd: str
    deps: tuple[str, ...]
    row: Mapping[str, Any]

    @property
    def task(self) -> Task | None:
        shorts = {folder: task for task, folder in defaults.folders().items()}
        return TASKS[shorts[self.row["task"]]] if "task" in self.row else None


@cache
def _yaml(name: str) -> Any:
    return YAML(typ="safe", pure=True).load(ROOT / name)


def _stages() -> Iterator[Stage]:
    for file, params in PRESENT.items():
        for group, body in _yaml(file)["stages"].items():
            if "foreach" not in body:
                yield Stage(file, group, f"{file}:{group}", body["cmd"], tuple(body["deps"]), {})
                continue
            table = body["foreach"].strip("${}")
            rows = _yaml(params).get(table) or (
                {"mine": {"path": "my/file", "reader": "own_text"}} if table == "own" else {}
            )
            for key, row in rows.items():
                cmd, *deps = (_filled(text, key, row) for text in (body["do"]["cmd"], *body["do"]["deps"]))
                yield Stage(file, group, f"{file}:{group}@{key}", cmd, tuple(deps), row)


def _filled(text: str, key: str, row: Mapping[str, Any]) -> str:
    text = text.replace("${key}", key)
    return re.sub(r"\$\{item\.(\w+)\}", lambda match: str(row[match[1]]), text)


def _file(module: str) -> str | None:
    path = ROOT.joinpath(*module.split("."))
    one = next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)
    return one.relative_to(ROOT).as_posix() if one else None


@cache
def _tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


@cache
def _imported(file: str) -> frozenset[str]:
    """The pipeline's files that the import statements of a file run, wherever they are."""
    names: set[str] = set()
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return frozenset(f for name in names if name.startswith("pipeline.") and (f := _file(name)) and not _is_empty(f))


def _is_empty(file: str) -> bool:
    """A package's file with nothing but a docstring."""
    return len(_tree(file).body) <= 1


@cache
def _of_tasks(file: str) -> frozenset[str]:
    """The fields of a Task that the code of a file reads."""
    known = {field.name for field in fields(Task)}
    read = (node for node in ast.walk(_tree(file)) if isinstance(node, ast.Attribute) and node.attr in known)
    return frozenset(node.attr for node in read if "task" in ast.unparse(node.value))


def _home(task: Task, name: str) -> set[str]:
    """The files in which a field of the task is computed; its numbers and directions come from score.py."""
    value = getattr(task, name)
    folder = f"pipeline/tasks/{defaults.folders()[task.name]}"
    functions = (
        [value]
        if callable(value)
        else [v for v in vars(value).values() if callable(v)]
        if name == "intervals" and value
        else []
    )
    files = {Path(inspect.getfile(function)).relative_to(ROOT).as_posix() for function in functions}
    if f"{folder}/task.py" in files:  # imports it when it is called
        files = {file for file in _imported(f"{folder}/task.py") if Path(file).stem == name}
    return files or ({f"{folder}/score.py"} if name not in LABELS and value is not None else set())


def _run(stage: Stage) -> set[str]:
    """The files whose edit may change the stage's result."""
    unimportant = [*NOWHERE, *EXCEPT.get(stage.group, {})]
    module = _file(STAGES[stage.cmd.split()[3]][0])
    assert module
    waiting = {module, *BY_ROW.get(stage.group, lambda row: set())(stage.row)}
    reached: set[str] = set()
    while waiting:
        file = waiting.pop()
        if file in reached or _covers(unimportant, file) or file.endswith("/task.py"):
            continue
        reached.add(file)
        waiting |= _imported(file)
        if stage.task:
            waiting |= {home for name in _of_tasks(file) - LABELS.keys() for home in _home(stage.task, name)}
    if stage.group == "report":  # shows labels
        reached.add(f"pipeline/tasks/{stage.row['task']}/task.py")
    return reached


def _covers(deps: Any, file: str) -> bool:
    return any(file == dep or file.startswith(f"{dep}/") for dep in deps)


ALL = list(_stages())
GROUPS = [(file, group) for file in PRESENT for group in _yaml(file)["stages"]]


@pytest.mark.parametrize("stage", ALL, ids=lambda stage: stage.name)
def test_deps_cover_every_file_that_the_stage_runs(stage: Stage) -> None:
    missing = {file for file in _run(stage) if not _covers(stage.deps, file)}
    assert not missing, f"{stage.file}: {stage.group}: deps lack {sorted(missing)}"


@needs_rows(*SHIPPED)  # with fewer rows, fewer files are run
@pytest.mark.parametrize(("file", "group"), GROUPS)
def test_every_file_in_deps_is_run(file: str, group: str) -> None:
    # Removing a dep must leave a file uncovered in one row at least; else its edit would rerun stages for nothing.
    stages = [stage for stage in ALL if (stage.group, stage.file) == (group, file)]
    same = [stage for stage in ALL if stage.group == group]  # the other file's rows run the rest
    for number, dep in enumerate(_yaml(file)["stages"][group].get("do", _yaml(file)["stages"][group])["deps"]):
        if dep.startswith("pipeline/") and stages:
            used = any(_covers([stage.deps[number]], ran) for stage in stages for ran in _run(stage))
            used |= any(_covers([_filled(dep, "", stage.row)], ran) for stage in same for ran in _run(stage))
            used |= group == "import"  # which takes one reader of four
            assert used, f"{file}: {group}: nothing runs {dep}"


@pytest.mark.parametrize("stage", ALL, ids=lambda stage: stage.name)
def test_deps_name_existing_files_and_never_settings_as_a_whole(stage: Stage) -> None:
    assert not {"params.yaml", "textbook/params.yaml", "pipeline/config/defaults.yaml"} & {*stage.deps}
    gone = [dep for dep in stage.deps if dep.startswith("pipeline") and not (ROOT / dep).exists()]
    assert not gone


@pytest.mark.parametrize(("file", "group"), GROUPS)
def test_commands_are_plain_and_name_no_row(file: str, group: str) -> None:
    # A shell runs what is in a name; and it has no pipefail: of `a | b` DVC sees b's exit code only.
    body = _yaml(file)["stages"][group]
    page = " textbook" if (group, file) == ("index", "textbook/dvc.yaml") else ""
    assert body.get("do", body)["cmd"] == f"python -m pipeline {group}{page}"


def test_exceptions_are_still_needed() -> None:
    for file in (*NOWHERE, *(name for named in EXCEPT.values() for name in named)):
        assert (ROOT / file).exists(), file


@pytest.mark.skipif("textbook/dvc.yaml" not in PRESENT, reason="the textbook's folder was removed")
def test_both_files_have_the_same_stages() -> None:
    main, textbook = (_yaml(file)["stages"] for file in FILES)
    assert textbook.keys() == main.keys() - {"import", "study", "tune"}
    for group in textbook.keys() - {"index"}:
        ours, theirs = dict(main[group]["do"]), dict(textbook[group]["do"])
        assert theirs.pop("wdir") == ".."
        assert _parameters(theirs.pop("params", [])) == _parameters(ours.pop("params", []))
        outs = [str(out).replace("reports/textbook/", "reports/sections/") for out in theirs.pop("outs")]
        assert outs == [str(out) for out in ours.pop("outs")]
        assert theirs == ours


def _parameters(params: list[Any]) -> set[str]:
    """All parameters of a stage, without the file that has them."""
    return {
        key for one in params for key in ([one] if isinstance(one, str) else [k for keys in one.values() for k in keys])
    }
