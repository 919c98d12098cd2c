"""Before anything runs: params.yaml as a whole, and results of rows that are no longer in it."""

from pipeline.artifacts import Project
from pipeline.stages import parameters


def run(project: Project) -> None:
    """A removed row leaves its files behind, and a report reads the folder they stand in: they are deleted, which makes
    the report of that data set run again."""
    params = parameters(project)
    for folder, suffix in (
        (project.root / "reports" / "metrics", ".json"),
        (project.root / "reports" / "curves", ".csv"),
    ):
        for path in sorted(folder.glob(f"*/*{suffix}")):
            row = params.experiments.get(path.stem)
            if row is None or row.dataset != path.parent.name:
                path.unlink()
                print(f"{path.relative_to(project.root)}: deleted, params.yaml has no such experiment any more")
