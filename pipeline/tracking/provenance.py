"""What a training was made of, written down when it is made: its rows of params.yaml, the hashes of its data, and the
commands that make it again."""

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts import Project
from pipeline.config import plain_yaml
from pipeline.config.files import MAIN, TEXTBOOK, TEXTBOOK_STAGES, Table
from pipeline.config.schema.params import Params
from pipeline.config.schema.sources import with_reader

UNKNOWN = "unknown"


def settings(params: Params, experiment: str) -> dict[str, Any]:
    """Return all settings that the experiment depends on, as written in params.yaml, by their keys. JSON-able.

    A key of textbook/params.yaml has the file's name before it, as `dvc exp run -S` takes it.
    """
    row = params.experiments[experiment]
    source = params.datasets[row.dataset].source
    recipe = params.files.recipe_of(experiment)
    rows = [("own" if source in params.own else "sources", source), ("datasets", row.dataset)]
    rows += [("recipes", recipe)] if recipe else []
    written = {_key(params, *place): params.files.row(*place) for place in [*rows, ("experiments", experiment)]}
    return {"seed": params.seed, "edition": params.edition, "cell": params.cell, **_plain(written)}


def _key(params: Params, table: str, name: str) -> str:
    file = params.files.file_of(table, name)
    return f"{table}.{name}" if file == MAIN else f"{file}:{table}.{name}"


def _plain(value: Any) -> Any:
    """Return the value as it comes back from JSON."""
    return json.loads(json.dumps(value))


def target(settings: Mapping[str, Any], stage: str, experiment: str) -> str:
    """Return the DVC target of a stage of the experiment. settings: from settings()."""
    return f"{f'{TEXTBOOK_STAGES}:' if f'{TEXTBOOK}:experiments.{experiment}' in settings else ''}{stage}@{experiment}"


def data_of(params: Params, experiment: str) -> list[str]:
    """Return the folders of its raw and prepared data, as dvc.lock names them."""
    dataset = params.experiments[experiment].dataset
    return [f"data/raw/{params.datasets[dataset].source}", f"data/prepared/{dataset}"]


def locked(project: Project) -> dict[str, Any]:
    """Return the recorded stages of dvc.lock and textbook/dvc.lock by their targets."""
    stages: dict[str, Any] = {}
    for file, before in (("dvc.lock", ""), ("textbook/dvc.lock", f"{TEXTBOOK_STAGES}:")):
        path = project.root / file
        lock = plain_yaml.recorded(path.read_bytes()) if path.is_file() else None
        stages |= {f"{before}{name}": stage for name, stage in ((lock or {}).get("stages") or {}).items()}
    return stages


def hashes(project: Project) -> dict[str, str]:
    """Return DVC's hash of every recorded output, by path."""
    return {
        out["path"]: str(out.get("md5", UNKNOWN)) for stage in locked(project).values() for out in stage.get("outs", [])
    }


def remake(project: Project, commit: str | None, target: str, params: Mapping[str, Any]) -> str:
    """Return the commands that rerun `target`: check out the commit, and set what its settings do not have.

    params: of settings().
    """
    before = f"git checkout {commit} && " if commit else ""
    changes = list(_changes(project, commit, params)) if commit else []
    return before + (f"dvc exp run {' '.join(changes)} {target}" if changes else f"dvc repro {target}")


def _params_at(project: Project, commit: str, file: str) -> Any:
    done = subprocess.run(
        ["git", "show", f"{commit}:./{file}"], cwd=project.root, capture_output=True, text=True, check=False
    )
    return _plain(plain_yaml.recorded(done.stdout)) if done.returncode == 0 else None


def _changes(project: Project, commit: str, settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield `-S key=value` for each setting of the run that differs at its commit."""
    for file, before in ((MAIN, ""), (TEXTBOOK, f"{TEXTBOOK}:")):
        own = {key.removeprefix(f"{TEXTBOOK}:"): v for key, v in settings.items() if _is_of(key, file)}
        then = _params_at(project, commit, file) if own else None
        if isinstance(then, dict):
            for change in _of_file(own, then):
                yield f"-S {_quoted(f'{before}{change}')}"


def since_commit(project: Project, file: str) -> dict[str, tuple[str | None, str | None]]:
    """Return {setting: (its value at the last commit, its value now)}, as YAML, for each that differs.

    None stands for what is not there. Empty outside a git repository, and for a file that is not committed.
    """
    then = _params_at(project, "HEAD", file)
    path = project.root / file
    now = _plain(plain_yaml.recorded(path.read_bytes())) if path.is_file() else {}
    if not isinstance(then, dict) or not isinstance(now, dict):
        return {}
    return dict(_differences(then, now))


def _differences(then: Table, now: Table, above: str = "") -> Iterator[tuple[str, tuple[str | None, str | None]]]:
    for name in {**now, **then}:
        before, after = then.get(name), now.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _differences(before, after, f"{above}{name}.")
        elif before != after or (name in then) != (name in now):
            values = (plain_yaml.flow(table[name]) if name in table else None for table in (then, now))
            yield f"{above}{name}", (next(values), next(values))


def tracked(project: Project, paths: Iterable[Path]) -> set[Path]:
    """Return those of the files that git tracks, and the folders with such files."""
    command = ["git", "ls-files", "-z", "--", *(str(path.relative_to(project.root)) for path in paths)]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    known = [project.root / name for name in done.stdout.split("\0") if name] if done.returncode == 0 else []
    return {path for path in paths if any(file.is_relative_to(path) for file in known)}


def _is_of(key: str, file: str) -> bool:
    return key.startswith(f"{TEXTBOOK}:") == (file == TEXTBOOK)


def _of_file(settings: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[str]:
    for key, value in settings.items():
        table, _, row = key.partition(".")
        old = (then.get(table) or {}).get(row) if row else then.get(table)
        if table == "own":
            old, value = with_reader(old), with_reader(value)
        if not isinstance(value, dict):
            if value != old:
                yield f"{key}={plain_yaml.flow(value)}"
            continue
        if old is None:
            yield f"+{key}={plain_yaml.flow(value)}"
            continue
        for name, inner in value.items():
            if inner != old.get(name):
                yield f"{'' if name in old else '+'}{key}.{name}={plain_yaml.flow(inner)}"
        yield from (f"~{key}.{name}" for name in old.keys() - value.keys())


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[\w.+=/:-]+", text) else "'" + text.replace("'", "'\\''") + "'"
