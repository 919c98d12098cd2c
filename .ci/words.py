"""Refuse words and phrases that stop an English-speaking reader: the patterns of [tool.words] in pyproject.toml."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

RULES = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["words"]


def main() -> int:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *RULES["files"]]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    paths = [path for path in map(Path, names) if path.is_file()]
    faults = [
        f"{path}:{number}: {match[0]!r}; write: {advice}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        for pattern, advice in RULES["avoid"].items()
        for match in re.finditer(pattern, line)
    ]
    print("\n".join(faults) or f"words: {len(paths)} files, nothing to change")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
