"""dvc.yaml against the code: a stage's deps are the modules that it runs, no fewer and no more."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.__main__ import STAGES
from pipeline.sources import OWN_READERS

ROOT = Path(__file__).parents[1]
BASELINES = {
    f"pipeline/baselines/{name}.py": "baseline alone runs it" for name in ("linear_series", "linear_text", "ngrams")
}
GENERATED = {"pipeline/tasks/generated_text.py": "evaluate alone runs it"}

# Modules that are run but whose edit changes no result, and therefore neither do the modules below them.
NOWHERE: dict[str, str] = {
    "pipeline/__init__.py": "the version",
    "pipeline/__main__.py": "the command line",
    **{f"pipeline/{name}/__init__.py": "holds no code" for name in ("baselines", "encoding", "models/blocks")},
    "pipeline/artifacts.py": "where files stand and how they are written, not what is in them",
    "pipeline/config.py": "checks params.yaml, whose values DVC compares itself",
    **{
        f"pipeline/rows/{name}.py": "the types of params.yaml, whose values DVC compares itself"
        for name in ("__init__", "datasets", "networks", "params", "sources", "values")
    },
    "pipeline/errors.py": "the kinds of errors",
    "pipeline/journal.py": "what MLflow is told is no output",
    "pipeline/lineage.py": "what is written down about a run changes none of its numbers",
    "pipeline/runs.py": "what MLflow is told is no output",
    "pipeline/sending.py": "what MLflow is told is no output",
    "pipeline/tracking.py": "what MLflow is told is no output",
    "pipeline/sources/__init__.py": "the table of sources; a new row changes nothing for the others",
    "pipeline/stages/__init__.py": "reads params.yaml",
    "pipeline/tasks/__init__.py": "the table of tasks; a new row changes nothing for the others",
}
EXCEPT: dict[str, dict[str, str]] = {
    "download": {"pipeline/transfer.py": "moves bytes; what arrives is compared with the pinned checksum"},
    "import": {
        "pipeline/download.py": "what is the user's own is copied, not fetched",
        "pipeline/sources/card.py": "what is the user's own has no card",
        **{f"pipeline/sources/{reader}.py": "nothing is read yet" for reader in OWN_READERS},
    },
    "preprocess": {"pipeline/stages/download.py": "nothing of it is used but a file's name", **BASELINES, **GENERATED},
    "baseline": GENERATED,
    "train": {**BASELINES, **GENERATED},
    "evaluate": BASELINES,
    "report": {**BASELINES, **GENERATED},
    "index": {"pipeline/reporting/comparison.py": "only stored comparisons are read"},
}
# The functions that import a row of a table by its name: only that row's module is run.
LOOKUPS = {
    "load_source": "pipeline.sources.{reader}",
    "load_own_reader": "pipeline.sources.{reader}",
    "load_task": "pipeline.tasks.{task}",
    "load_model": "pipeline.layers.{task}",
    "load_figures": "pipeline.reporting.{task}",
}


@dataclass(frozen=True)
class Stage:
    """One stage with its row put in; `facts`: the row's reader and task, as far as it has them."""

    group: str
    name: str
    cmd: str
    deps: tuple[str, ...]
    facts: Mapping[str, str]

    @property
    def module(self) -> str:
        return STAGES[self.cmd.split()[3]][0]


@cache
def _yaml(name: str) -> Any:
    return YAML(typ="safe", pure=True).load(ROOT / name)


def _stages() -> Iterator[Stage]:
    params = _yaml("params.yaml")
    for group, body in _yaml("dvc.yaml")["stages"].items():
        if "foreach" not in body:
            yield Stage(group, group, body["cmd"], tuple(body["deps"]), {})
            continue
        rows = params[body["foreach"].strip("${}")] or {r: {"path": "my/file", "reader": r} for r in OWN_READERS}
        for key, row in rows.items():
            cmd, *deps = (_filled(text, key, row) for text in (body["do"]["cmd"], *body["do"]["deps"]))
            yield Stage(group, f"{group}@{key}", cmd, tuple(deps), _facts(row, params))


def _filled(text: str, key: str, row: Mapping[str, Any]) -> str:
    text = text.replace("${key}", key)
    return re.sub(r"\$\{item\.(\w+)\}", lambda found: str(row[found[1]]), text)


def _facts(row: Mapping[str, Any], params: Any) -> dict[str, str]:
    facts = {name: row[name] for name in ("reader", "task") if name in row}
    if "source" in row:
        facts["reader"] = {**params["sources"], **params["own"]}[row["source"]].get("reader", "own_text")
    return facts


def _file(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def _path(module: str) -> str:
    path = _file(module)
    assert path is not None, f"{module}: no such module"
    return path.relative_to(ROOT).as_posix()


def _module(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse((ROOT / _path(module)).read_text(encoding="utf-8"))


@cache
def _imported(module: str) -> set[str]:
    """Modules of the pipeline that a module's import statements run, wherever they stand, with their packages."""
    names: set[str] = set()
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    parents = {name[: dot.start()] for name in names for dot in re.finditer(r"\.", name)}
    return {name for name in names | parents if name.split(".")[0] == "pipeline" and _file(name)}


def _looked_up(module: str, facts: Mapping[str, str]) -> set[str]:
    words = {node.id for node in ast.walk(_tree(module)) if isinstance(node, ast.Name)}
    patterns = {LOOKUPS[word] for word in words & LOOKUPS.keys()}
    assert all(name in facts for p in patterns for name in re.findall(r"{(\w+)}", p)), f"{module}: of which row?"
    return {pattern.format(**facts) for pattern in patterns}


def _below(module: str, stage: Stage) -> set[str]:
    return _imported(module) | _looked_up(module, stage.facts)


def _run(stage: Stage) -> set[str]:
    """The files whose edit may change the stage's result."""
    unimportant = NOWHERE | EXCEPT.get(stage.group, {})
    found: set[str] = set()
    waiting = {stage.module}
    while waiting:
        module = waiting.pop()
        file = _path(module)
        if file not in found and file not in unimportant:
            found.add(file)
            waiting |= _below(module, stage)
    return found


def _not_covered(files: set[str], deps: tuple[str, ...]) -> set[str]:
    return {file for file in files if not any(file == dep or file.startswith(f"{dep}/") for dep in deps)}


ALL = list(_stages())


@pytest.mark.parametrize("stage", ALL, ids=lambda stage: stage.name)
def test_deps_cover_every_module_that_the_stage_runs(stage: Stage) -> None:
    missing = _not_covered(_run(stage), stage.deps)
    assert not missing, f"dvc.yaml: {stage.group}: deps lack {sorted(missing)}"


@pytest.mark.parametrize("group", _yaml("dvc.yaml")["stages"])
def test_every_module_in_deps_is_run(group: str) -> None:
    # Removing a dep must leave a module uncovered in one row at least; else its edit would rerun stages for nothing.
    stages = [stage for stage in ALL if stage.group == group]
    for number, dep in enumerate(stages[0].deps):
        needed = [_not_covered(_run(s), s.deps[:number] + s.deps[number + 1 :]) for s in stages]
        assert any(needed) or not dep.startswith("pipeline"), f"dvc.yaml: {group}: nothing runs {dep}"


@pytest.mark.parametrize("stage", ALL, ids=lambda stage: stage.name)
def test_deps_name_existing_modules_and_never_params_yaml(stage: Stage) -> None:
    assert "params.yaml" not in stage.deps, "params.yaml as a whole would rerun every stage for every edit"
    gone = [dep for dep in stage.deps if dep.startswith("pipeline") and not (ROOT / dep).exists()]
    assert not gone


@pytest.mark.parametrize("stage", ALL, ids=lambda stage: stage.name)
def test_commands_are_plain(stage: Stage) -> None:
    # DVC's shell has no pipefail: of `a | b` it sees b's exit code only.
    words = stage.cmd.split()
    assert words[:3] == ["python", "-m", "pipeline"]
    assert re.fullmatch(r"[a-z0-9_\- ]+", stage.cmd)


@pytest.mark.parametrize("group", EXCEPT)
def test_exceptions_are_still_needed(group: str) -> None:
    met = {name for s in ALL if s.group == group for file in _run(s) for name in _below(_module(file), s)}
    assert EXCEPT[group].keys() <= {_path(name) for name in met}
    assert all((ROOT / file).is_file() for file in NOWHERE)


def _by_name(path: Path) -> bool:
    """Whether a module imports modules whose names are not written down in the call."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    return any(
        ast.unparse(call.func).rpartition(".")[2] in ("import_module", "__import__")
        and not (isinstance(call.args[0], ast.Constant) and not str(call.args[0].value).startswith("pipeline"))
        for call in calls
    )


def test_nothing_else_imports_by_name() -> None:
    # Such an import is invisible to the tests above; a new table needs a row in LOOKUPS.
    found = {path.relative_to(ROOT).as_posix() for path in (ROOT / "pipeline").rglob("*.py") if _by_name(path)}
    tables = {f"pipeline/{package}/__init__.py" for package in ("models", "reporting", "sources", "tasks")}
    assert found == {"pipeline/__main__.py", *tables}
