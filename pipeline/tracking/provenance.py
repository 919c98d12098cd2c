"""What a training was made of, written down when it is made: its rows of params.yaml, the hashes of its data, and the
commands that make it again."""

import io
import re
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.representer import SafeRepresenter

from pipeline.artifacts import Project
from pipeline.config.schema.params import Params

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
        # PyYAML's C parser takes 0.16 s for 310 KB; ruamel.yaml takes 1.6 s, and 0.35 s with its C parser.
        lock = yaml.load((project.root / "dvc.lock").read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, yaml.YAMLError):
        return {}
    return dict((lock or {}).get("stages") or {})


def hashes(project: Project) -> dict[str, str]:
    """Return DVC's hash of every output in dvc.lock, by path."""
    return {
        out["path"]: str(out.get("md5", UNKNOWN)) for stage in locked(project).values() for out in stage.get("outs", [])
    }


class _Representer(SafeRepresenter):
    """Puts text with signs or letters beyond ASCII into double quotes: `-S` does not read it otherwise."""

    def represent_str(self, data: str) -> Any:
        plain = re.fullmatch(r"[\w .:+/\\-]*", data, re.ASCII)
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if plain else '"')


_Representer.add_representer(str, _Representer.represent_str)


def flow(value: Any) -> str:
    """Write `value` as YAML on one line, for `dvc exp run -S key=…`."""
    writer, stream = YAML(typ="safe", pure=True), io.StringIO()
    writer.Representer = _Representer
    writer.default_flow_style = True
    writer.width = 10_000
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.brace_single_entry_mapping_in_flow_sequence = True
    writer.dump(value, stream)
    return stream.getvalue().strip().removesuffix("...").strip()


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
    return YAML(typ="safe", pure=True).load(done.stdout) if done.returncode == 0 else None  # DVC's reader


def _changes(settings: Mapping[str, Any], then: Any) -> Iterator[str]:
    """`-S key=value` for each value of the run that its commit's params.yaml does not have."""
    for key, value in settings.items():
        table, _, row = key.partition(".")
        old = (then.get(table) or {}).get(row) if row else then.get(table)
        if not isinstance(value, dict):
            if value != old:
                yield f"-S {_quoted(f'{key}={flow(value)}')}"
            continue
        if old is None:
            yield f"-S {_quoted(f'+{key}={flow(value)}')}"
            continue
        for name, inner in value.items():
            if inner != old.get(name):
                plus = "" if name in old else "+"
                yield f"-S {_quoted(f'{plus}{key}.{name}={flow(inner)}')}"
        for name in old.keys() - value.keys():
            yield f"-S {_quoted(f'~{key}.{name}')}"


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[\w.+=/-]+", text) else "'" + text.replace("'", "'\\''") + "'"
