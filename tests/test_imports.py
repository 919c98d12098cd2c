"""TensorFlow, Keras and MLflow take seconds to import: only training, serving and logging pay for them."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.tasks import TASKS

ROOT = Path(__file__).parents[1]
SLOW = ("keras", "mlflow", "tensorflow")
# The modules that may import them when they are imported, each a pattern of full names. Others may in a function alone.
MAY = (
    r"pipeline\.layers(\..+)?",
    r"pipeline\.training\..+",
    r"pipeline\.tasks\..+\.network",
    r"pipeline\.serving\.mlflow_model",  # MLflow itself runs that module
)
PYDANTIC = {"annotated_types", "pydantic", "pydantic_core", "typing_extensions", "typing_inspection"}
IMPORT_ALL = """
import importlib, json, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
print(json.dumps([name for name in json.loads(sys.argv[2]) if name in sys.modules]))
"""
IMPORT_TASKS = """
import json, sys
import pipeline.tasks
print(json.dumps(sorted(sys.modules)))
"""
HELP = """
import contextlib, io, json, runpy, sys
slow, sys.argv = json.loads(sys.argv[1]), ["pipeline", *json.loads(sys.argv[2])]
code = None
with contextlib.redirect_stdout(io.StringIO()) as text:
    try:
        runpy.run_module("pipeline", run_name="__main__")
    except SystemExit as end:
        code = end.code
print(json.dumps([code, "usage" in text.getvalue(), [name for name in slow if name in sys.modules]]))
"""


def _modules() -> dict[str, Path]:
    paths = {path.relative_to(ROOT).with_suffix(""): path for path in (ROOT / "pipeline").rglob("*.py")}
    return {".".join(name.parts).removesuffix(".__init__"): path for name, path in paths.items()}


def _may(module: str) -> bool:
    return any(re.fullmatch(rule, module) for rule in MAY)


def _imports(path: Path) -> set[str]:
    """Return the full names of the modules that the file imports when it is imported itself."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    plain = {alias.name for node in body if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in body if isinstance(node, ast.ImportFrom)}


def _python(code: str, *arguments: object) -> Any:
    command = [sys.executable, "-W", "error", "-c", code, *map(json.dumps, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_modules_that_need_none_of_them_import_none_of_them() -> None:
    """The command line would run; its own test is below."""
    modules = sorted(name for name in _modules() if not _may(name) and name != "pipeline.__main__")
    assert {"pipeline.sources.alice", "pipeline.tasks.sentiment.task", "pipeline.stages.train"} <= set(modules)
    assert _python(IMPORT_ALL, modules, SLOW) == []


def test_the_fence_notices_what_is_imported() -> None:
    # The same check with a package that one of the modules does import, so that it cannot pass by looking at nothing.
    assert _python(IMPORT_ALL, ["pipeline.config.loading"], ["pydantic", "keras"]) == ["pydantic"]


def test_layers_import_keras_and_tensorflow() -> None:
    assert _python(IMPORT_ALL, ["pipeline.layers"], SLOW) == ["keras", "tensorflow"]


@pytest.mark.parametrize("rule", MAY[1:])
def test_every_exception_is_used(rule: str) -> None:
    """By a module that imports one of the slow libraries itself, or from the layers."""
    imported = set().union(*(_imports(path) for name, path in _modules().items() if re.fullmatch(rule, name)))
    assert imported & {"mlflow" if "mlflow" in rule else "pipeline.layers"}


def test_the_table_of_tasks_is_light() -> None:
    """Every stage and every command imports it: it takes a fraction of a second as long as no library comes along."""
    found = set(_python(IMPORT_TASKS))
    assert {TASKS[name].prepare.__module__ for name in TASKS} <= found
    assert not found & {*SLOW, "matplotlib", "sklearn", "nltk", "scipy", "scipy.stats", "pandas", "jinja2", "PIL"}
    packages = {name.partition(".")[0] for name in found} - set(sys.stdlib_module_names) - {"pipeline"}
    assert {name for name in packages if not name.startswith("_")} - {"cython_runtime"} <= PYDANTIC | {
        "numpy",
        "regex",  # 20 ms
        "ruamel",
    }
    own = r"pipeline\.(layers|reporting|serving|tracking|tasks\..+\.(network|figures))(\..+)?"
    assert [name for name in found if re.fullmatch(own, name)] == []


def test_help_imports_neither() -> None:
    assert _python(HELP, SLOW, ["--help"]) == [0, True, []]
