"""The DVC stages, one module for each: load the inputs, call the layers below, save the outputs."""

from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.config.schema.params import Params
from pipeline.sources import SOURCES


def parameters(project: Project) -> Params:
    """Load params.yaml and check all of it, before a stage does any work."""
    return loading.load(project.root, SOURCES)
