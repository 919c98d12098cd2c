"""Train and compare recurrent networks, ask them, decide which one answers."""

# Stages are many short processes, and most of them only hand their work over: what takes time to import comes late.
from __future__ import annotations

import argparse
import importlib
import os
import re
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipeline.errors.boundary import guarded
from pipeline.handover import hand_over
from pipeline.reproduce import help as words
from pipeline.reproduce.arguments import add as add_arguments
from pipeline.reproduce.fan_out import command as fan_out
from pipeline.serving import ask

if TYPE_CHECKING:
    from pipeline.artifacts import Project

STAGES = {
    "download": ("pipeline.stages.download", "run", "a source", "download a source, or generate its synthetic data"),
    "import": ("pipeline.stages.download", "run_import", "a row of own", "copy your own file into the pipeline"),
    "preprocess": ("pipeline.stages.preprocess", "run", "a data set", "read, split and encode a data set"),
    "baseline": ("pipeline.stages.baseline", "run", "a data set", "score naive methods on a data set"),
    "train": ("pipeline.stages.train", "run", "an experiment", "train the networks of an experiment"),
    "evaluate": ("pipeline.stages.evaluate", "run", "an experiment", "score an experiment and its best baseline"),
    "study": ("pipeline.stages.study", "run", "a study", "train the trials of a study, and say what they show"),
    "tune": ("pipeline.stages.tune", "run", "a tuning", "search the best settings of an experiment, by validation"),
    "report": ("pipeline.stages.report", "run", "a data set", "write the report on a data set"),
    "index": ("pipeline.stages.index", "run", None, "write the report's index page"),
    "check": ("pipeline.stages.check", "run", None, "check params.yaml, and show what differs from the last commit"),
}


# Networks of one text have small products, for which two threads wait for each other longer than they compute.
ANSWERING = ("predict", "tag", "classify", "generate", "forecast", "demo", "serve")


def main(argv: list[str] | None = None) -> int:
    """Run one command; return 0, or an error's exit code after printing its message."""
    command = sys.argv[1:] if argv is None else argv
    return guarded(lambda: _run(command), command)


def _run(command: list[str]) -> None:
    if command and command[0] in ANSWERING:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy reads it when it is imported
    arguments = _parser().parse_args(command or ["--help"])
    from pipeline.artifacts import here
    from pipeline.tracking.address import credentials

    with credentials():  # also for the processes that the command starts
        if arguments.command in STAGES:
            from pipeline.stages import run_stage

            module, function, _, _ = STAGES[arguments.command]
            if getattr(arguments, "accept", False):
                module = "pipeline.stages.accept"
            name = [] if getattr(arguments, "name", None) is None else [arguments.name]
            run_stage(here(), arguments.command, getattr(importlib.import_module(module), function), name)
        else:
            run, _ = COMMANDS[arguments.command]
            run(here(), arguments)


def _handed_over() -> int:
    """Run the command in the warm process if it can, and else in this one."""
    ended = hand_over(sys.argv[1:])
    return main() if ended is None else ended


def _running(module: str) -> Callable[[Project, argparse.Namespace], None]:
    """A command that takes no argument: run() of the module, which is imported then."""
    return lambda project, _: importlib.import_module(module).run(project)


def _prune(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.stages import prune

    prune.run(project, confirmed=arguments.yes)


def _init(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.stages import init

    init.run(project, arguments.path, arguments.name, arguments.kind, only=arguments.only, confirmed=arguments.yes)


def _sync(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.tracking.delivery import COMMAND_SECONDS, sync
    from pipeline.tracking.live import mark_killed

    mark_killed(project)
    sent = sync(project, COMMAND_SECONDS)
    print(f"{sent} journal{'s' * (sent != 1)} sent to MLflow")


def _watch(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.tracking.watch import watch

    watch(project)


def _probe(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.download import probe

    probe.run(project, arguments.source, arguments.accept)


def _systems(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline import artifacts
    from pipeline.reporting import systems
    from pipeline.stages import parameters

    rows = parameters(project).experiments
    paths = {name: project.metrics(row.dataset, name) for name, row in rows.items()}
    results = {name: artifacts.load_json(path) for name, path in paths.items() if path.is_file()}
    for system, title, lines in systems.status(results):
        print(f"{system:4} {title}")
        for name, figures in lines:
            print(f"       {name:36} {figures}".rstrip())


def _results(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.stages import results

    results.run(project, arguments.output, arguments.seconds)


def _skew(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.serving.skew import check

    print(check(project, arguments.experiment, arguments.model, arguments.url, arguments.rows))


def _serve(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.serving.launch import serve

    serve(project, arguments.model, arguments.host, arguments.port)


def _demo(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.demo.run import run

    run(project, arguments.host, arguments.port)


def _trace(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.tracking.trace import trace

    print(trace(project, arguments.what))


def _promote(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.promotion import promote
    from pipeline.stages import parameters

    params = parameters(project)
    candidates = [promote.candidate(project, params, name) for name in arguments.experiment]
    for candidate in candidates:
        print(promote.promote(project, candidate, params.gate.margin).line())


def _rollback(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.promotion.promote import rollback

    print(rollback(project, arguments.model).line())


def _champions(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.promotion import champions
    from pipeline.reporting.formatting import aligned

    rows = [champions.cells(*row) for row in champions.champions(project)]
    none = "no champions yet; `python -m pipeline promote <experiment>` makes the first one"
    print("\n".join(aligned([list(champions.COLUMNS), *rows])) if rows else none)


def _retrain(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.promotion.retrain import retrain
    from pipeline.stages import parameters

    given = {"cell": arguments.cell, "edition": arguments.edition}
    settings = [f"{key}={value}" for key, value in given.items() if value]
    retrain(project, parameters(project), arguments.experiment, settings, arguments.base)


COMMANDS: dict[str, tuple[Callable[[Project, argparse.Namespace], None], str]] = {
    "repro": (_running("pipeline.reproduce.repro"), "run all stages that are new or changed, as make repro does"),
    "fan-out": (fan_out.run, "run all stages that are new or changed on many machines: docs/cluster.md"),
    "verify": (
        _running("pipeline.stages.verify"),
        "hash all data, models and DVC's cache again, and say how to repair damage",
    ),
    "init": (_init, "look at a file of your own, propose its rows of params.yaml, and write them after a yes"),
    "prune": (_prune, "list the results of removed rows, and delete them"),
    "probe": (_probe, "check whether the publishers still offer the pinned files"),
    "sync": (_sync, "send the runs that MLflow has not received yet"),
    "watch": (_watch, "show the trainings that run now: epoch, losses, time left"),
    "systems": (_systems, "list the textbook's systems with their experiments and figures"),
    "results": (_results, "write docs/results.md, with every figure of a finished run"),
    "skew": (_skew, "compare a served model's answers to raw test rows with the stored predictions"),
    "demo": (_demo, "open a page that asks all trained models, as make demo does"),
    "serve": (_serve, "serve a model over HTTP, from this folder or from MLflow"),
    "trace": (_trace, "show what made a file, run or model: commit, parameters, data, and the command to repeat it"),
    "promote": (_promote, "make trained models champions if the gate finds them better"),
    "rollback": (_rollback, "restore the previous champion of a model"),
    "champions": (_champions, "list the model that answers for each source and task, and its score"),
    "retrain": (_retrain, "pull, reproduce what changed, push, run the gate, and write reports/retrain.md"),
    "predict": (ask.predict, "classify texts, each with its probability"),
    "tag": (ask.tag, "tag each word with its part of speech"),
    "classify": (ask.classify, "classify pictures"),
    "generate": (ask.generate, "continue a prompt"),
    "forecast": (ask.forecast, "forecast the next values, with intervals"),
}


class _Command(argparse.ArgumentParser):
    """Reads its arguments as text; those that name files say `type=str`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.register("type", None, ask.text)


def _parser() -> argparse.ArgumentParser:
    texts = {
        **{name: text for name, (*_, text) in STAGES.items()},
        **{name: text for name, (_, text) in COMMANDS.items()},
    }
    parser = argparse.ArgumentParser(
        prog=words.PROGRAM,
        usage=f"{words.PROGRAM} <command> [arguments]",
        description=f"{__doc__}\n`{words.PROGRAM} <command> --help` explains a command.",
        epilog=words.overview(texts),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(
        dest="command",
        required=True,
        metavar="command",
        prog=words.PROGRAM,
        parser_class=_Command,
        help=argparse.SUPPRESS,
    )
    parsers = {
        name: commands.add_parser(
            name,
            description=_sentence(text),
            epilog=words.examples(name),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for name, text in texts.items()
    }
    for name, (*_, what, _) in STAGES.items():
        _add_name(name, what, parsers[name])
    add_arguments(parsers)
    return parser


def _add_name(stage: str, what: str | None, parser: argparse.ArgumentParser) -> None:
    if what:
        row = _row_of_dvc(stage)
        parser.add_argument("name", nargs=row and "?", default=row, help=f"name of {what} in params.yaml")
        if stage == "tune":
            parser.add_argument("--accept", action="store_true", help="write the best settings into params.yaml")
    elif stage == "index":
        parser.add_argument("name", nargs="?", choices=["textbook"], help="the page of textbook/params.yaml")


def _row_of_dvc(stage: str) -> str | None:
    """The row for which DVC runs the stage: commands in dvc.yaml have no name, since a shell runs what is in it."""
    found = re.fullmatch(rf"(?:[^@]*:)?{stage}@(.*)", os.environ.get("DVC_STAGE", ""), re.DOTALL)
    return found[1] if found else None


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


if __name__ == "__main__":
    exit_code = guarded(_handed_over, sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while Python ends needs no traceback
    sys.exit(exit_code)
