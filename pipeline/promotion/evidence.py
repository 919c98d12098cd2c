"""Keep the test losses of each candidate with its run, for the comparison with the next one."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from pipeline import artifacts
from pipeline.promotion.gate import Evidence
from pipeline.promotion.registry import Version

FILE = "gate/evidence.npz"
TAG = "evidence_sha256"  # of the version; the run's files are in the artifact store, which others may write to


def keep(client: Any, run_id: str, evidence: Evidence) -> str:
    """Store the losses with the run; return the SHA-256 of the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(FILE).name
        artifacts.save_arrays(path, {"rows": evidence.rows, "losses": evidence.losses})
        client.log_artifact(run_id, str(path), str(Path(FILE).parent))
        return hashlib.sha256(path.read_bytes()).hexdigest()


def load(client: Any, version: Version) -> Evidence | None:
    """Load the losses stored with a version's run; None if they are missing, or not those that were stored."""
    if FILE not in {item.path for item in client.list_artifacts(version.run_id, str(Path(FILE).parent))}:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(client.download_artifacts(version.run_id, FILE, folder))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != version.tags.get(TAG, digest):  # a version older than the tag has none
            return None
        stored = artifacts.load_arrays(path)
    return Evidence(stored["rows"], stored["losses"])
