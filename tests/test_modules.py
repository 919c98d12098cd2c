"""Every module has its test at the same path, or a line here names the test that covers it.

pipeline/tracking/store.py is tested in tests/tracking/test_store.py. The table has the modules that have no such file.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Tests below tests/, and the modules below pipeline/ that each of them covers, which have no test of their own.
COVERS = {
    "config/test_studies.py": ("config/schema/studies",),
    "stages/test_study.py": ("tracking/study",),
    "baselines/test_ppm.py": ("baselines/ppm_process",),
    "config/test_tunings.py": ("config/schema/tunings",),
    "config/test_loading.py": (
        "config/consistency",
        "config/defaults",
        "config/files",
        "config/messages",
        "config/renamed",
        "config/schema/datasets",
        "config/schema/networks",
        "config/schema/params",
        "config/schema/sources",
        "config/schema/values",
    ),
    "demo/test_app.py": ("demo/models", "demo/run"),
    "download/test_fetch.py": ("download/http", "download/verify", "sources/card"),
    "download/test_probe.py": ("stages/download",),
    "inference/test_graph.py": (
        "inference/cells",
        "inference/layers",
        "inference/operations",
        "inference/recurrent",
        "inference/settings",
    ),
    "layers/test_cells.py": ("layers/__init__", "layers/lstm_variants", "layers/pooling"),
    "layers/loops/test_halves.py": (
        "layers/loops/averages",
        "layers/loops/__init__",
        "layers/loops/gru",
        "layers/loops/lstm",
        "layers/loops/simple_rnn",
    ),
    "layers/test_sequences.py": ("layers/operations",),
    "reference/test_cells.py": ("reference/clipping", "reference/network", "reference/through_time"),
    "proposals/test_kinds.py": (
        "proposals/columns",
        "proposals/look",
        "proposals/proposal",
        "proposals/sentences",
        "proposals/series",
    ),
    "reporting/test_comparison.py": ("reporting/tables",),
    "reporting/test_pages.py": (
        "reporting/elements",
        "reporting/listing",
        "reporting/report_data",
        "reporting/sections",
        "stages/index",
        "stages/report",
    ),
    "reporting/test_results.py": ("stages/results", "tracking/one_commit"),
    "reporting/test_study.py": ("reporting/study_pictures",),
    "reporting/test_systems.py": ("reporting/textbook",),
    "reporting/test_charts.py": ("reporting/grids",),
    "reporting/test_overview.py": ("reporting/overview_pictures",),
    "reporting/test_task_figures.py": ("reporting/surprise",),
    "reproduce/fan_out/test_fan_out.py": (
        "reproduce/fan_out/command",
        "reproduce/fan_out/executors",
        "reproduce/fan_out/finish",
        "reproduce/fan_out/lock_files",
        "reproduce/fan_out/run_cache",
        "reproduce/fan_out/worker",
    ),
    "reproduce/test_repro.py": ("reproduce/commands", "reproduce/runner", "reproduce/unchanged"),
    "reproduce/test_warm.py": ("handover", "reproduce/preload"),
    "promotion/test_promote.py": ("promotion/evidence",),
    "serving/test_served.py": ("__main__", "training/continuations"),
    "serving/test_server.py": ("serving/bounds",),
    "serving/test_vouched.py": ("serving/launch", "tracking/fingerprint"),
    "sources/test_daily_prices.py": ("sources/djia", "sources/msft", "sources/nasdaq"),
    "sources/test_generated.py": ("sources/cosine", "sources/digits"),
    "sources/test_own_files.py": (
        "sources/own_file",
        "sources/own_rows",
        "sources/own_labelled",
        "sources/own_tagged",
        "sources/own_text",
    ),
    "sources/test_own_series.py": ("sources/own_grid",),
    "sources/test_source_contract.py": ("sources/__init__",),
    "sources/test_texts.py": (
        "sources/alice",
        "sources/plain_text",
        "sources/shakespeare",
        "sources/sonnets",
        "sources/warpeace",
    ),
    "stages/test_evaluate.py": ("stages/baseline", "stages/preprocess"),
    "tasks/char_lm/test_task.py": ("encoding/vocabulary",),
    "tasks/textbook/char_windows/test_task.py": ("baselines/ngrams",),
    "tasks/forecasting/test_task.py": ("baselines/linear_series", "encoding/series_features"),
    "tasks/sentiment/test_task.py": ("baselines/linear_text",),
    "tasks/test_contract.py": ("evaluation/network", "evaluation/task", "tasks/__init__"),
    "tasks/textbook/cosine_windows/test_network.py": (
        "tasks/textbook/cosine_windows/baselines",
        "tasks/textbook/cosine_windows/prepare",
        "tasks/textbook/cosine_windows/score",
        "tasks/textbook/cosine_windows/task",
    ),
    "tasks/textbook/scaled_windows/test_task.py": ("encoding/price_features",),
    "test_artifacts.py": ("encoding/records",),
    "test_bad_input.py": ("errors/__init__", "reproduce/arguments", "stages/__init__"),
    "training/test_fit.py": ("training/average", "training/course", "training/lines"),
}
# The same for the folder of every task, such as sentiment or textbook/padded_texts.
COVERS_OF_TASKS = {
    "tasks/{task}/test_task.py": ("tasks/{task}/baselines", "tasks/{task}/prepare", "tasks/{task}/score"),
    "tasks/test_contract.py": ("tasks/{task}/network",),
    "reporting/test_task_figures.py": ("tasks/{task}/figures",),
    "serving/test_served.py": ("tasks/{task}/answers",),
    "tasks/test_blind.py": ("tasks/{task}/blind",),
    "serving/test_skew.py": ("tasks/{task}/raw_rows",),
}


def _holds_code(path: Path) -> bool:
    """Whether it has more than a docstring and constants."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    constants = [node for node in body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)]
    return any(not isinstance(node, ast.Expr) and node not in constants for node in body)


def _own_test(module: str) -> Path:
    folder, _, name = module.rpartition("/")
    return ROOT / "tests" / folder / f"test_{name}.py"


PATHS = sorted((ROOT / "pipeline").rglob("*.py"))
MODULES = [path.relative_to(ROOT / "pipeline").with_suffix("").as_posix() for path in PATHS if _holds_code(path)]
TASKS = [task for module in MODULES for task in re.findall(r"^tasks/(.+)/task$", module)]
WITHOUT = {module for module in MODULES if not _own_test(module).is_file()}
LINES = [(module, test) for test, modules in COVERS.items() for module in modules]
LINES_OF_TASKS = [(module, test) for test, modules in COVERS_OF_TASKS.items() for module in modules]


def _tests(module: str) -> list[str]:
    """Return the tests that a line names for the module; a line of its own goes before one of all tasks."""
    own = [test for name, test in LINES if name == module]
    filled = [(pattern.replace("{task}", task), test.replace("{task}", task)) for pattern, test in LINES_OF_TASKS
              for task in TASKS]  # fmt: skip
    return own or [test for name, test in filled if name == module]


def covering(module: str) -> list[str]:
    """Return the test modules below tests/ of a module: its own, or those that a line names."""
    own = _own_test(module)
    return [own.relative_to(ROOT / "tests").as_posix()] if own.is_file() else _tests(module)


def test_modules_are_found() -> None:
    assert len(MODULES) > 100 and {"sentiment", "textbook/padded_texts"} <= set(TASKS)
    assert {"tracking/store", "tasks/sentiment/task"} <= set(MODULES) - WITHOUT


@pytest.mark.parametrize("module", sorted(WITHOUT))
def test_a_module_without_its_own_test_is_covered_by_another(module: str) -> None:
    tests = _tests(module)
    assert tests, f"write {_own_test(module).relative_to(ROOT)}, or name the test of pipeline/{module}.py in COVERS"
    assert len(tests) == 1, f"pipeline/{module}.py has several lines: {tests}"
    assert (ROOT / "tests" / tests[0]).is_file(), f"pipeline/{module}.py: there is no tests/{tests[0]}"


@pytest.mark.parametrize(("module", "test"), LINES)
def test_a_line_is_needed(module: str, test: str) -> None:
    assert module in MODULES, f"{test}: there is no pipeline/{module}.py with code"
    assert module in WITHOUT, f"{test}: pipeline/{module}.py has a test of its own"


@pytest.mark.parametrize(("pattern", "test"), LINES_OF_TASKS)
def test_a_line_of_all_tasks_is_needed(pattern: str, test: str) -> None:
    own = {name for name, _ in LINES}
    assert {pattern.replace("{task}", task) for task in TASKS} & WITHOUT - own, f"{test}: no task needs {pattern}"
