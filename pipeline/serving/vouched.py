"""Take a model out of the artifact store only if its files are those that were logged.

MLflow executes the files of a model, so whoever can write to the artifact store could run code on each machine that
loads one. The tracking store keeps a fingerprint of the files as a tag of the model and of its versions. A model is
copied to a private folder, compared with that tag, and loaded from the copy alone.
"""

import re
import shutil
from pathlib import Path
from typing import Any

from pipeline.artifacts import Project
from pipeline.errors import DataError
from pipeline.tracking.address import address, reason, shown
from pipeline.tracking.fingerprint import TAG, fingerprint
from pipeline.tracking.store import code_of, connected, import_mlflow

VERSION = re.compile(r"models:/(?P<name>[^@/]+)(?:@(?P<alias>[^/]+)|/(?P<version>\d+))")
LOGGED = re.compile(r"(?:models:/)?(?P<id>m-[0-9a-f]{32})")
MODEL_ID = re.compile(r"^model_id: (?P<id>m-[0-9a-f]{32})$", re.MULTILINE)
ADDED = "registered_model_meta"  # by MLflow to each copy that it downloads; it holds no code


def copy(project: Project, model: str, target: Path) -> Path:
    """Copy an MLflow model to the folder `target`, which must not exist, and return it. Nothing in it is executed.

    model: its folder, or models:/<name>@<alias>, models:/<name>/<version> or models:/<model id>. Raises DataError if
    there is no such model, no fingerprint of it, or another one; StoreError if the store fails.
    """
    with connected(project) as client:
        folder = Path(model)
        if folder.is_dir():
            expected, location = _logged(client, _model_id(folder), model).tags.get(TAG), None
            shutil.copytree(folder, target, symlinks=False)
        else:
            expected, location = _vouched(client, project, model)
            if expected is not None:
                _download(project, model, location, target)
    if expected is None:
        raise DataError(
            f"{model}: the tracking store has no {TAG} of it, so its files are not executed. It was logged by another"
            " program or an older version; train its experiment again (dvc repro -f -s train@<experiment>) and use that"
        )
    _leave_out(target)
    found = fingerprint(target)
    if found != expected:
        raise DataError(
            f"{model}: its files are not those that were logged ({TAG} {found[:12]}…, the tracking store says"
            f" {expected[:12]}…), so they are not executed. Restore them, or train the experiment again"
        )
    return target


def _vouched(client: Any, project: Project, model: str) -> tuple[str | None, str]:
    """Return the fingerprint that the store has of the model, if any, and the location of its files."""
    if match := LOGGED.fullmatch(model):
        logged = _logged(client, match["id"], model)
        return logged.tags.get(TAG), logged.artifact_location
    match = VERSION.fullmatch(model)
    if match is None:
        raise DataError(
            f"{model}: not the folder of an MLflow model; give models:/<name>@champion, models:/<name>/<version> or"
            " models:/<model id>"
        )
    try:
        if match["alias"]:
            version = client.get_model_version_by_alias(match["name"], match["alias"])
        else:
            version = client.get_model_version(match["name"], match["version"])
    except Exception as error:
        raise _missing(error, model) from None
    location = client.get_logged_model(version.model_id).artifact_location if version.model_id else version.source
    return version.tags.get(TAG), location


def _logged(client: Any, model_id: str, model: str) -> Any:
    try:
        return client.get_logged_model(model_id)
    except Exception as error:
        raise _missing(error, model) from None


def _missing(error: Exception, model: str) -> Exception:
    if code_of(error) in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
        return DataError(f"{model}: the tracking store has no such model; `python -m pipeline champions` lists them")
    return error


def _model_id(folder: Path) -> str:
    path = folder / "MLmodel"
    try:
        found = MODEL_ID.search(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if found is None:
        raise DataError(f"{path}: names no logged model, so nothing vouches for this folder and it is not loaded")
    return found["id"]


def _download(project: Project, model: str, location: str, target: Path) -> None:
    """MLflow puts a folder's content into a subfolder for some stores and into the target itself for others."""
    target.mkdir()
    try:
        download = import_mlflow().artifacts.download_artifacts
        got = Path(download(artifact_uri=location, dst_path=str(target), tracking_uri=address(project)))
    except Exception as error:
        raise DataError(f"{model}: its files at {shown(location)} cannot be read ({reason(error)})") from None
    if got.resolve() != target.resolve():
        inner = got.rename(target.with_name(f"{target.name}.inner"))
        shutil.rmtree(target)
        inner.rename(target)


def _leave_out(target: Path) -> None:
    """Delete what loading a model adds to its folder: compiled modules, which would be executed unseen."""
    for folder in list(target.rglob("__pycache__")):
        shutil.rmtree(folder)
    (target / ADDED).unlink(missing_ok=True)
