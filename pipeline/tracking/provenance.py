"""What a training was made of, written down when it is made: its rows of params.yaml, the hashes of its data, and the
commands that make it again."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.artifacts import Project
from pipeline.config import plain_yaml
from pipeline.config.schema.params import Params
from pipeline.config.schema.sources import with_reader

UNKNOWN = "unknown"


def settings(params: Params, experiment: str) -> dict[str, Any]:
    """JSON-able: everything in params.yaml that the experiment depends on, by its key there, as written there."""
    row = params.experiments[experiment]
    data = params.datasets[row.dataset]
    table = "own" if data.source in params.own else "sources"
    rows = {
        f"{table}.{data.source}": getattr(params, table)[data.source],
        f"datasets.{row.dataset}": data,
        f"experiments.{experiment}": row,
    }
    written = {key: value.model_dump(mode="json", exclude_unset=True) for key, value in rows.items()}
    return {"seed": params.seed, "edition": params.edition, "cell": params.cell, **written}


def data_of(params: Params, experiment: str) -> list[str]:
    """The folders of its raw and prepared data, as dvc.lock names them."""
    dataset = params.experiments[experiment].dataset
    return [f"data/raw/{params.datasets[dataset].source}", f"data/prepared/{dataset}"]


def locked(project: Project) -> dict[str, Any]:
    """Return the stages of dvc.lock by name; none where no stage has been recorded."""
    try:
        lock = plain_yaml.recorded((project.root / "dvc.lock").read_bytes())
    except OSError:
        return {}
    return dict((lock or {}).get("stages") or {})


def hashes(project: Project) -> dict[str, str]:
    """Return DVC's hash of every output in dvc.lock, by path."""
    return {
        out["path"]: str(out.get("md5", UNKNOWN)) for stage in locked(project).values() for out in stage.get("outs", [])
    }


def remake(project: Project, commit: str | None, target: str, params: Mapping[str, Any]) -> str:
    """The commands that make the stage `target` again: the commit, and as `-S` what its params.yaml does not say.

    params: of settings().
    """
    before = f"git checkout {commit} && " if commit else ""
    then = _params_at(project, commit) if commit else None
    changes = [] if then is None else list(_changes(params, then))
    return before + (f"dvc exp run {' '.join(changes)} {target}" if changes else f"dvc repro {target}")


def _params_at(project: Project, commit: str) -> Any:
    done = subprocess.run(
        ["git", "show", f"{commit}:./params.yaml"], cwd=project.root, capture_output=True, text=True, check=False
    )
    return plain_yaml.recorded(done.stdout) if done.returncode == 0 else None


def _changes(settings: Mapping[str, Any], then: Any) -> Iterator[str]:
    """`-S key=value` for each value of the run that its commit's params.yaml does not have."""
    for key, value in settings.items():
        table, _, row = key.partition(".")
        old = (then.get(table) or {}).get(row) if row else then.get(table)
        old = with_reader(old) if table == "own" else old
        if not isinstance(value, dict):
            if value != old:
                yield f"-S {_quoted(f'{key}={plain_yaml.flow(value)}')}"
            continue
        if old is None:
            yield f"-S {_quoted(f'+{key}={plain_yaml.flow(value)}')}"
            continue
        for name, inner in value.items():
            if inner != old.get(name):
                plus = "" if name in old else "+"
                yield f"-S {_quoted(f'{plus}{key}.{name}={plain_yaml.flow(inner)}')}"
        for name in old.keys() - value.keys():
            yield f"-S {_quoted(f'~{key}.{name}')}"


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[\w.+=/-]+", text) else "'" + text.replace("'", "'\\''") + "'"
