"""The DVC stages, one module for each: load the inputs, call the layers below, save the outputs."""

from collections.abc import Callable, Sequence

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.config.schema.params import Params
from pipeline.integrity import claims
from pipeline.sources import SOURCES


def parameters(project: Project) -> Params:
    """Load params.yaml and check all of it, before a stage does any work."""
    return loading.load(project.root, SOURCES)


def run_stage(project: Project, stage: str, function: Callable[..., None], name: Sequence[str | None]) -> None:
    """Run a stage while no other process runs it, after deleting what killed processes left half-written.

    name: that of the row, if the stage has rows. Raises UserError if another process runs it.
    """
    if stage == "check":  # changes nothing
        function(project)
        return
    claims.end_with_caller()
    with claims.claimed(project.root, "@".join([stage, *filter(None, name)])):
        artifacts.sweep(project.root)
        function(project, *name)
