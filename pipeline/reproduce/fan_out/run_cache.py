"""DVC's run-cache, for one stage: `dvc repro --pull` and `dvc push --run-cache` copy the entries of all stages."""

import os
from typing import Any


def pull(repo: Any, stage: Any) -> None:
    """Fetch what others have recorded for this command with these inputs."""
    _copy(repo, stage, from_remote=True)


def push(repo: Any, stage: Any) -> None:
    """Record for others what the stage has made of its inputs."""
    _copy(repo, stage, from_remote=False)


def _copy(repo: Any, stage: Any, *, from_remote: bool) -> None:
    from dvc.config import RemoteConfigError
    from dvc.fs import HTTPFileSystem, generic
    from dvc.stage.cache import _can_hash, _get_stage_hash

    (twin,) = repo.stage.collect(stage.addressing)  # DVC would not run a stage whose dependencies are hashed already
    if any(not os.path.exists(dep.fs_path) for dep in twin.deps):
        return
    twin.save_deps()
    if not _can_hash(twin):  # DVC keeps no run of stages with outputs that persist
        return
    try:
        remote = repo.cloud.get_remote_odb(None, "fan-out", hash_name="md5-dos2unix")
    except RemoteConfigError:  # one with versions has no run-cache
        return
    if isinstance(remote.fs, HTTPFileSystem):
        return
    key = _get_stage_hash(twin)
    places = [(odb.fs, odb.fs.join(odb.path, "runs", key[:2], key)) for odb in (remote, repo.cache.legacy)]
    (from_fs, source), (to_fs, target) = places if from_remote else places[::-1]
    if from_fs.exists(source):
        for path in from_fs.find(source):
            to = to_fs.join(target, from_fs.name(path))
            if not to_fs.exists(to):
                generic.copy(from_fs, path, to_fs, to)
