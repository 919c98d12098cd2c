"""What a fan-out needs and does not have: a sentence before any work, and nothing has changed."""

from collections.abc import Callable

import pytest

from pipeline.errors import UserError
from tests.clone import changed, git
from tests.reproduce.fan_out import serial
from tests.reproduce.fan_out.serial import Serial
from tests.reproduce.fan_out.tiny import STAGES, Tiny


def no_work(*_: object) -> None:
    pytest.fail("a worker has started")


def refused(tiny: Tiny, *targets: str, **settings: object) -> str:
    """What fan-out says, which starts no worker and changes nothing."""
    before = changed(tiny.root)
    with pytest.raises(UserError) as error:
        serial.run(tiny, *targets, executor=Serial(no_work), **settings)
    assert error.value.code == 2
    assert changed(tiny.root) == before and not (tiny.root / "dvc.lock").exists()
    assert not (tiny.root / ".dvc" / "tmp" / "fan-out").exists() and not (tiny.root.parent / "clones").exists()
    return str(error.value)


def test_uncommitted_code_is_named(fresh: Tiny) -> None:
    fresh.write("src.txt", "2\n")
    fresh.write("dvc.yaml", STAGES.replace("> raw/x", "> raw/x; true"))
    assert refused(fresh).startswith("uncommitted changes in dvc.yaml, src.txt: workers run what is committed")


def test_a_new_file_that_a_stage_reads_is_named(fresh: Tiny) -> None:
    fresh.write("dvc.yaml", STAGES.replace("- src.txt", "- src.txt\n      - new"))
    fresh.commit()
    fresh.write("new/more.txt", "1\n")
    assert "uncommitted changes in new/more.txt" in refused(fresh)


def test_a_file_outside_the_repository_is_named(fresh: Tiny) -> None:
    (fresh.root.parent / "mine.txt").write_text("1\n")
    fresh.write("dvc.yaml", STAGES.replace("- src.txt", "- src.txt\n      - ../mine.txt"))
    fresh.commit()
    assert refused(fresh).startswith(
        "../mine.txt: not in git, so workers would not have it; commit it or run `dvc add`"
    )


def test_other_new_files_and_results_are_no_obstacle(fresh: Tiny) -> None:
    fresh.write("notes.txt", "not read by any stage\n")
    fresh.write("scores/all.txt", "of an earlier run\n")
    with pytest.raises(Started):
        serial.run(fresh, executor=Serial(start))


class Started(Exception):
    """The first worker would start."""


def start(_: object) -> None:
    raise Started


def test_without_a_commit_there_is_no_work(fresh: Tiny) -> None:
    git(fresh.root, "update-ref", "-d", "HEAD")
    assert "no commit of git" in refused(fresh)


def test_without_a_dvc_remote_the_command_for_one_is_named(fresh: Tiny) -> None:
    fresh.write(".dvc/config", "")
    fresh.write(".dvc/config.local", "")
    fresh.commit()
    said = refused(fresh)
    assert said.startswith("no DVC remote") and "dvc remote add --default storage <address>" in said


def test_a_remote_that_refuses_is_named_with_the_reason(fresh: Tiny) -> None:
    (fresh.root.parent / "file").write_text("no folder\n")
    fresh.write(".dvc/config.local", f"['remote \"storage\"']\n    url = {fresh.root.parent}/file/remote\n")
    said = refused(fresh)
    assert (
        said.startswith(f"the DVC remote storage at {fresh.root.parent}/file/remote refuses a file (")
        and "Not a dir" in said
    )


def cannot_be_cloned(tiny: Tiny) -> "tuple[dict[str, object], str]":
    return {"repository": "/no/such/repository"}, "/no/such/repository: cannot be cloned (fatal: "


def not_pushed(tiny: Tiny) -> "tuple[dict[str, object], str]":
    git(tiny.root, "clone", "--quiet", "--bare", str(tiny.root), "../bare")
    tiny.write("src.txt", "2\n")
    tiny.commit()
    head, bare = git(tiny.root, "rev-parse", "HEAD")[:10], tiny.root.parent / "bare"
    return {"repository": str(bare)}, f"{bare} does not have the commit {head}; push it first: git push"


def no_git_remote(tiny: Tiny) -> "tuple[dict[str, object], str]":
    return {"elsewhere": True}, "git has no remote, and workers on other machines clone from one: git remote add origin"


@pytest.mark.parametrize("make", [cannot_be_cloned, not_pushed, no_git_remote])
def test_a_commit_that_workers_cannot_have_is_refused(
    make: "Callable[[Tiny], tuple[dict[str, object], str]]", fresh: Tiny
) -> None:
    settings, said = make(fresh)
    assert refused(fresh, **settings).startswith(said)


def test_after_the_advice_the_commit_is_found(fresh: Tiny) -> None:
    settings, _ = not_pushed(fresh)
    git(fresh.root, "push", "--quiet", "../bare", "HEAD")
    other = fresh.root.parent / "other"  # somebody pushes on top of it
    git(fresh.root, "clone", "--quiet", "../bare", str(other))
    git(other, "commit", "--quiet", "--allow-empty", "--message", "more")
    git(other, "push", "--quiet", "origin", "HEAD")
    git(fresh.root, "remote", "add", "origin", "../bare")
    with pytest.raises(Started):
        serial.run(fresh, executor=Serial(start), **settings)


def test_an_unknown_target_is_named_with_near_ones(fresh: Tiny) -> None:
    assert refused(fresh, "half@c").startswith("half@c: no stage, group of stages or file of DVC; there is half@")


def test_a_stage_that_always_runs_is_refused(fresh: Tiny) -> None:
    fresh.write("dvc.yaml", STAGES.replace("    deps:\n      - src.txt\n", "    always_changed: true\n"))
    fresh.commit()
    assert refused(fresh).startswith("raw: always runs")


def test_workers_below_one_are_refused(fresh: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.__main__ import main

    with serial.user_in(fresh):
        assert main(["fan-out", "--workers", "0"]) == 2
