"""report@<dataset>: the experiments on a data set side by side: figures, a table, and its section of the index page."""

from pipeline import artifacts, runs
from pipeline.artifacts import Project
from pipeline.reporting import material, pages, sections
from pipeline.reporting.elements import Picture
from pipeline.rows import named
from pipeline.stages import parameters
from pipeline.tracking import spool


def run(project: Project, name: str) -> None:
    params = parameters(project)
    named(params.datasets, name, "datasets")
    experiments = params.experiments_on(name)
    found = material.load(project, name, experiments)
    elements = sections.elements(found)
    with artifacts.new_folder(project.report(name)) as fresh:
        for picture in (e for e in elements if isinstance(e, Picture)):
            artifacts.save_bytes(fresh / f"{picture.name}.png", picture.png)
        artifacts.save_text(fresh / "table.md", sections.markdown(found, elements))
    artifacts.save_text(project.section(name), pages.section(found, elements))
    for experiment in experiments:
        identity = runs.Run.of(artifacts.load_json(project.metrics(name, experiment))["run"])
        samples = project.predictions(name, experiment) / "samples.json"
        spool(runs.report(identity, project.report(name), samples), project)
    print(f"{name}: reports/{name}, {len(experiments)} experiments")
