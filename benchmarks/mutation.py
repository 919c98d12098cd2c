"""Finds mistakes in the code that tests do not see: `python benchmarks/mutation.py run mutation.jsonl`.

Draws a seeded sample of small mistakes (mutants.py) from each package, makes them one at a time in a copy of this
checkout, and runs the tests of the changed module and then, if these pass, the tests of what uses it. Each run is
forked from a process that has imported TensorFlow. A run that is interrupted goes on where it was.

    python benchmarks/mutation.py run mutation.jsonl --packages training promotion --sample 40
    python benchmarks/mutation.py again mutation.jsonl     # those that survived, after new tests
    python benchmarks/mutation.py clean mutation.jsonl     # do the tests that saw a mistake pass without it?
    python benchmarks/mutation.py report mutation.jsonl    # the table, and what survived

Modules that draw (figures.py of a task) are left out: their mistakes are seen by looking.
"""

import argparse
import compileall
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.mutants import Mutant, counts, mutants  # noqa: E402
from tests import test_modules  # noqa: E402
from tests.forked import run_module  # noqa: E402

PACKAGES = ("tasks", "training", "promotion", "serving", "tracking", "evaluation", "config")
AFTER_TRAINING = ("promotion", "serving")  # they change nothing of the project that tests/conftest.py trains
CONTRACT = "tests/tasks/test_contract.py"
SHARED = ("tests/tasks/test_asymmetric.py", "tests/tasks/test_one_reading.py", "tests/baselines")  # of several tasks
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-p", "benchmarks.mutation", "-m", "not long and not real", "--tb=no")
# Tests of what uses a package, in the order in which they are tried.
WIDER = {
    "tasks": (CONTRACT, "tests/stages", "tests/serving"),
    "training": ("tests/training", "tests/layers", "tests/tasks", "tests/stages"),
    "promotion": ("tests/promotion",),
    "serving": ("tests/serving", "tests/promotion", CONTRACT),
    "tracking": ("tests/tracking", "tests/promotion", "tests/reporting", "tests/stages", "tests/serving"),
    "evaluation": ("tests/evaluation", "tests/tasks", "tests/stages", "tests/promotion", "tests/reporting"),
    "config": ("tests/config", "tests/training/test_from_scratch.py", "tests/test_bad_input.py", "tests/tracking"),
}
KEPT = "MUTATION_TRAINED"  # the folder of that project
CPU_SECONDS = 60.0  # of a single test; wall time would make an endless loop of a busy machine
SECONDS = 7200  # of one run of pytest, if a test waits for ever
# By exit code. 2: the tests cannot be imported.
DONE = {0: "survived", 1: "killed", 2: "killed", -signal.SIGPROF: "time-out", -signal.SIGKILL: "time-out"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "again", "clean", "report"))
    parser.add_argument("file", type=Path, help="a line of JSON for each mutant")
    parser.add_argument("--packages", nargs="*", default=PACKAGES)
    parser.add_argument("--sample", type=int, default=40, help="mutants of each package")
    parser.add_argument("--quick", action="store_true", help="run the tests of the changed module alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no mutant after this time")
    arguments = parser.parse_args()
    rows = _rows(arguments.file)
    if arguments.command in ("run", "again"):
        drawn = sampled(arguments.packages, arguments.sample, arguments.seed)
        tried = {key: row["result"] for key, row in rows.items()}
        left = [
            m
            for m in drawn
            if (tried.get(_key(*m)) == "survived" if arguments.command == "again" else _key(*m) not in tried)
        ]
        run(left, arguments.file, time.monotonic() + 60 * arguments.minutes, quick=arguments.quick)
    if arguments.command == "clean":
        return clean(rows)
    print(report(_rows(arguments.file)))
    return 0


def sampled(packages: list[str], count: int, seed: int) -> list[tuple[str, Mutant]]:
    """Return at most `count` mutants of each package, the packages in turn."""
    drawn = []
    for package in packages:
        paths = [path for path in sorted((ROOT / "pipeline" / package).rglob("*.py")) if path.name != "figures.py"]
        sources = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}
        whole = [(path, mutant) for path, source in sources.items() for mutant in mutants(source)]
        random.Random(f"{seed} {package}").shuffle(whole)  # so that a larger sample holds the smaller one
        real = ((path, mutant) for path, mutant in whole if counts(mutant, sources[path]))
        drawn.append(list(itertools.islice(real, count)))
    return [one[i] for i in range(count) for one in drawn if i < len(one)]


def run(left: list[tuple[str, Mutant]], file: Path, end: float, *, quick: bool) -> None:
    """Try the mutants, and append a line for each to the file."""
    with tempfile.TemporaryDirectory() as place:
        copy, kept = _copied(Path(place) / "copy"), Path(place) / "trained"
        for i, (path, mutant) in enumerate(left, 1):
            if time.monotonic() > end:
                break
            started = time.monotonic()
            source = (copy / path).read_bytes()
            (copy / path).write_bytes(mutant.applied(source))
            try:
                result, why = tried(copy, path, kept, quick=quick)
            finally:
                (copy / path).write_bytes(source)
            line = {"path": path, **asdict(mutant), "was": source[mutant.start : mutant.end].decode()}
            line |= {"result": result, "by": why, "seconds": round(time.monotonic() - started, 1)}
            with file.open("a") as out:
                out.write(json.dumps(line, ensure_ascii=False) + "\n")
            print(
                f"{i}/{len(left)} {result:8} {path}:{mutant.line} {line['was']!r} → {mutant.text!r}  {why}", flush=True
            )


def clean(rows: dict[str, Any]) -> int:
    """Run every test that saw a mistake on the code without it, and return pytest's exit code."""
    names = sorted({row["by"].split(" ")[1] for row in rows.values() if row["by"].startswith("FAILED")})
    with tempfile.TemporaryDirectory() as place:
        copy = _copied(Path(place) / "copy")
        done = run_module(copy, "pytest", "-q", "--tb=line", *names, environment=os.environ, timeout=3600)
    print(done.stdout[-5000:])
    return done.returncode


def _copied(to: Path) -> Path:
    names = subprocess.check_output(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file() and not (ROOT / name).is_symlink():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    (to / ".venv").symlink_to((ROOT / ".venv").resolve())
    compileall.compile_dir(to / "pipeline", quiet=2, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
    compileall.compile_dir(to / "tests", quiet=2, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
    return to


def tried(copy: Path, path: str, kept: Path, *, quick: bool) -> tuple[str, str]:
    """Run the tests of the module, then those of what uses it. Returns the result and what showed it."""
    trained = kept if path.split("/")[1] in AFTER_TRAINING else None
    for tests in own_tests(copy, path) if quick else [*own_tests(copy, path), wider_tests(copy, path)]:
        code, seen = _tested(copy, tests, trained)
        if code != 0:
            return DONE.get(code, "error"), seen
    return "survived", ""


def own_tests(copy: Path, path: str) -> list[list[str]]:
    """Return the tests of a module; for a task's, first all in its folder, and then what all tasks are tested by."""
    module = path.removeprefix("pipeline/").removesuffix(".py")
    found = [f"tests/{name}" for name in test_modules.covering(module)]
    if not module.startswith("tasks/"):
        return [found]
    folder = (copy / "tests" / module).parent
    found = [name for name in found if name.startswith(f"tests/{Path(module).parent}")]
    found += sorted(str(file.relative_to(copy)) for file in folder.glob("test_*.py") if "shipped" not in file.name)
    return [list(dict.fromkeys(found)), list(SHARED), [CONTRACT, "-k", folder.name]]


def wider_tests(copy: Path, path: str) -> list[str]:
    """Return the test modules of what uses the module's package."""
    found: list[str] = []
    for place in WIDER[path.split("/")[1]]:
        there = copy / place
        found += [str(p.relative_to(copy)) for p in (sorted(there.rglob("test_*.py")) if there.is_dir() else [there])]
    own = [name for tests in own_tests(copy, path) for name in tests if name != CONTRACT]
    return [name for name in dict.fromkeys(found) if name not in own and "shipped" not in name]


def _tested(copy: Path, tests: list[str], trained: Path | None) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(copy)}
    if trained is not None:
        environment[KEPT] = str(trained)
    done = run_module(copy, "pytest", *OPTIONS, *tests, environment=environment, timeout=SECONDS)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return done.returncode, lines[0][:200] if lines else done.stdout[-200:] if done.returncode else ""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: Any) -> None:
    """End the process, as SIGPROF does by default, if a test computes for too long."""
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the quick tests, unlike tests/conftest.py: the first one that fails is enough."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Any:
    """Where the trained project cannot change, train it once for all mutants."""
    place = Path(os.environ.get(KEPT, ""))
    if fixturedef.argname != "trained" or KEPT not in os.environ:
        return None
    from pipeline.artifacts import Project

    if not (place / "whole").exists():
        shutil.rmtree(place, ignore_errors=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pytest.TempPathFactory, "mktemp", lambda *_: place.mkdir() or place)
            fixturedef.func(request.getfixturevalue("tmp_path_factory"))
        (place / "whole").touch()
    project = Project(place)
    fixturedef.cached_result = (project, fixturedef.cache_key(request), None)
    return project


def _rows(file: Path) -> dict[str, Any]:
    """Return the newest line of each mutant."""
    lines = file.read_text().splitlines() if file.exists() else []
    return {f"{row['path']}:{row['start']}:{row['end']}:{row['text']}": row for row in map(json.loads, lines)}


def _key(path: str, mutant: Mutant) -> str:
    return f"{path}:{mutant.start}:{mutant.end}:{mutant.text}"


def report(rows: dict[str, Any]) -> str:
    """Return the table of results by package, and the survivors."""
    counted: dict[str, Counter[str]] = {}
    for row in rows.values():
        counted.setdefault(row["path"].split("/")[1], Counter())[row["result"]] += 1
    counted["all"] = sum(counted.values(), Counter())
    lines = ["| package | mutants | killed | time-out | survived | killed, share |", "|---|---|---|---|---|---|"]
    for package, n in counted.items():
        dead = n["killed"] + n["time-out"]
        share = dead / max(1, n.total())
        lines.append(f"| {package} | {n.total()} | {n['killed']} | {n['time-out']} | {n['survived']} | {share:.0%} |")
    lines += [
        f"{r['path']}:{r['line']}: {r['was']!r} → {r['text']!r}" for r in rows.values() if r["result"] == "survived"
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
