"""The fingerprint of a logged model's files: a tag in the tracking store, which vouches for the files elsewhere."""

import hashlib
from pathlib import Path

TAG = "files_sha256"


def fingerprint(folder: Path) -> str:
    """Return the SHA-256 of the sorted list of the folder's files, each with its own SHA-256 and its path."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n" for name, path in sorted(paths.items())]
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()
