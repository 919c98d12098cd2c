"""The DVC stages, a module each: parse, load, call, save; the work is done by the layers below."""

from pipeline import config
from pipeline.artifacts import Project
from pipeline.rows.params import Params
from pipeline.sources import SOURCES


def parameters(project: Project) -> Params:
    """params.yaml, checked as a whole before any stage works."""
    return config.load(project.root, SOURCES)
