"""The DVC stages, a module each: parse, load, call, save; the work is done by the layers below."""

from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.config.schema.params import Params
from pipeline.sources import SOURCES


def parameters(project: Project) -> Params:
    """params.yaml, checked as a whole before any stage works."""
    return loading.load(project.root, SOURCES)
