"""What a training was made of, written down when it is made: its rows of params.yaml and the hashes of its data."""

from typing import Any

import yaml

from pipeline.artifacts import Project
from pipeline.rows import Params

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
    """The stages of dvc.lock by name; none where no stage has been recorded."""
    try:
        lock = yaml.load((project.root / "dvc.lock").read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, yaml.YAMLError):
        return {}
    return dict((lock or {}).get("stages") or {})


def hashes(project: Project) -> dict[str, str]:
    """DVC's hash of every output that dvc.lock holds, by path."""
    return {
        out["path"]: str(out.get("md5", UNKNOWN)) for stage in locked(project).values() for out in stage.get("outs", [])
    }
