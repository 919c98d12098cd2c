"""Register and promote models in MLflow: one registered model for each source and task.

Aliases: `champion` is the version that answers, `challenger` the last candidate, `previous` the version that a rollback
restores. Setting `champion` is the single step that promotes: a process killed before it has changed nothing, and one
killed after it has changed all that matters. In MLflow the last writer of an alias wins; `_turn` makes promotion a
compare-and-set.
"""

import contextlib
import os
import socket
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import Conflict, DataError
from pipeline.tracking.fingerprint import TAG
from pipeline.tracking.record import now, readable
from pipeline.tracking.store import code_of
from pipeline.tracking.upload import WRITTEN, write_unless_edited

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
LEASE_SECONDS = 60.0  # a process that takes longer than this counts as killed
LAST_SECONDS = 20.0  # of the lease, in which nothing is begun: the store may take that long for a request
WAIT_SECONDS = 90.0  # long enough to see that a holder was killed
PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Version:
    """One version of a registered model."""

    model: str
    number: int
    run_id: str
    tags: Mapping[str, str]

    @property
    def uri(self) -> str:
        return f"models:/{self.model}/{self.number}"


class Registry:
    """Reads and changes the registry. client: an MlflowClient (see tracking.store.connected)."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def register(self, model: str, run_id: str, model_id: str, tags: Mapping[str, str]) -> Version:
        """Return the version of this run, creating it if necessary, and make it the challenger."""
        version = self.of_run(model, run_id)
        if version is None:
            self._make(model, {key: tags[key] for key in ("source", "task")})
            # not models:/<model_id>, which MLflow would look up in the store that the process used first
            logged = self.client.get_logged_model(model_id)
            vouched = {TAG: logged.tags[TAG]} if TAG in logged.tags else {}
            made = self.client.create_model_version(
                model, logged.artifact_location, run_id, tags={**tags, **vouched}, model_id=model_id
            )
            version = self.version(model, int(made.version))
        self.client.set_registered_model_alias(model, CHALLENGER, str(version.number))
        return version

    def of_run(self, model: str, run_id: str) -> Version | None:
        """Find the latest version of a run; None if there is none."""
        rows = self.client.search_model_versions(f"name = '{model}' and run_id = '{run_id}'")
        return _version(max(rows, key=lambda row: int(row.version))) if rows else None

    def version(self, model: str, number: int) -> Version:
        """Load a version by its number."""
        return _version(self.client.get_model_version(model, str(number)))

    def aliased(self, model: str, alias: str) -> Version | None:
        """Find the version with an alias; None if there is none."""
        number = self._aliases(model).get(alias)
        return None if number is None else self.version(model, int(number))

    def models(self) -> list[str]:
        """List the names of all registered models that the pipeline created."""
        names, token = [], None
        while True:
            page = self.client.search_registered_models(filter_string="tag.made_by = 'pipeline'", page_token=token)
            names += [row.name for row in page if "source" in row.tags]
            if not (token := page.token):
                return sorted(names)

    def tag(self, version: Version, tags: Mapping[str, Any]) -> None:
        """Set tags of a version."""
        for key, value in tags.items():
            self.client.set_model_version_tag(version.model, str(version.number), key, str(value))

    def describe(self, version: Version, text: str) -> None:
        """Set the description of a version, unless somebody has edited it."""
        found = self.client.get_model_version(version.model, str(version.number))
        write_unless_edited(
            found.description or "",
            found.tags,
            lambda mark: self.tag(version, {WRITTEN: mark}),
            lambda note: self.client.update_model_version(version.model, str(version.number), note),
            text,
        )

    def describe_model(self, model: str, text: str) -> None:
        """Set the description of a registered model, unless somebody has edited it."""
        found = self.client.get_registered_model(model)
        write_unless_edited(
            found.description or "",
            found.tags,
            lambda mark: self.client.set_registered_model_tag(model, WRITTEN, mark),
            lambda note: self.client.update_registered_model(model, note),
            text,
        )

    def description(self, version: Version) -> str:
        """Return the description of a version."""
        return str(self.client.get_model_version(version.model, str(version.number)).description or "")

    def promote(self, version: Version, expected: int | None, by: str) -> None:
        """Make the version the champion if `expected` (None: no version) still is. Raises Conflict if not."""
        with self._turn(version.model, by) as turn:
            champion = self._aliases(version.model).get(CHAMPION)
            if champion != (None if expected is None else str(expected)):
                raise Conflict(
                    f"{version.model}: the champion changed from {_named(expected)} to {_named(champion)} meanwhile;"
                    f" version {version.number} was not promoted, run it again to meet the new one"
                )
            self.tag(
                version, {"promoted_from": expected or "nothing", "promoted_at": readable(now()), "promoted_by": by}
            )
            if time.monotonic() > turn.ends or not turn.held():
                raise Conflict(f"{version.model}: the store took too long; the champion is unchanged, try again")
            self.client.set_registered_model_alias(version.model, CHAMPION, str(version.number))
            if not turn.held():
                raise Conflict(
                    f"{version.model}: the store took too long, and another process promotes a version of it;"
                    " `python -m pipeline champions` says which one answers now"
                )
            self.tidy(version.model)

    def rollback(self, model: str, by: str) -> tuple[Version, Version]:
        """Make the previous champion the champion again; return (new, old). Raises Conflict and DataError."""
        champion, previous = self.aliased(model, CHAMPION), self.aliased(model, PREVIOUS)
        if champion is None:
            known = ", ".join(self.models()) or "none"
            raise DataError(f"{model}: has no champion; registered models: {known}")
        if previous is None:
            raise DataError(f"{model}: version {champion.number} is its first champion; there is no previous one")
        self.promote(previous, champion.number, by)
        return previous, champion

    def tidy(self, model: str) -> None:
        """Set the aliases that follow from the champion, before each reading: a promoter may have been killed."""
        aliases = self._aliases(model)
        if (number := aliases.get(CHAMPION)) is None:
            return
        before = self.version(model, int(number)).tags.get("promoted_from", "nothing")
        if before != "nothing" and aliases.get(PREVIOUS) != before:
            self.client.set_registered_model_alias(model, PREVIOUS, before)
        if aliases.get(CHALLENGER) == number:
            self.client.delete_registered_model_alias(model, CHALLENGER)

    def _make(self, model: str, tags: Mapping[str, str]) -> None:
        self._create(model, {"made_by": "pipeline", **tags})

    def _create(self, name: str, tags: Mapping[str, str]) -> bool:
        """Create a registered model if its name is free, and say so. Of two concurrent calls only one succeeds."""
        try:
            self.client.create_registered_model(name, tags=dict(tags))
        except Exception as error:
            # RESOURCE_DOES_NOT_EXIST: the holder of the name deleted it while MLflow looked it up
            if code_of(error) not in ("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"):
                raise
            return False
        return True

    def _aliases(self, model: str) -> dict[str, str]:
        try:
            return {alias: str(v) for alias, v in self.client.get_registered_model(model).aliases.items()}
        except Exception as error:
            if code_of(error) != "RESOURCE_DOES_NOT_EXIST":
                raise
            return {}

    @contextlib.contextmanager
    def _turn(self, model: str, by: str) -> Iterator["_Turn"]:
        """Hold a lock so that one process at a time, on any machine, promotes a version of this model.

        The lock is a numbered name in the registry that only one process can create. A name counts as abandoned (its
        holder was killed) if this process has seen the same holder for LEASE_SECONDS by its own clock: the clocks of
        two machines are never compared. Another process may then take the next number. Only the holder of a higher
        number deletes abandoned names, and it deletes its own last. So whoever takes a name can check that all lower
        ones are still abandoned. Raises Conflict after WAIT_SECONDS.
        """
        holder = f"{by} on {socket.gethostname()}, process {os.getpid()}, {uuid.uuid4().hex[:8]}"
        deadline, number, seen = time.monotonic() + WAIT_SECONDS, 1, dict[str, tuple[str, float]]()
        while True:
            ends = time.monotonic() + LEASE_SECONDS - LAST_SECONDS  # others count from a later moment
            if self._create(_turn_name(model, number), {"holder": holder}):
                if all(self._abandoned(_turn_name(model, lower), seen) for lower in range(1, number)):
                    break
                self._delete(_turn_name(model, number))
                number = 1
            elif self._abandoned(_turn_name(model, number), seen):
                number += 1
            elif time.monotonic() > deadline:
                who = (self.tags(_turn_name(model, number)) or {}).get("holder", "somebody")
                raise Conflict(f"{model}: {who} is promoting a version of it; try again")
            else:
                time.sleep(PAUSE_SECONDS)

        turn = _Turn(self, model, number, holder, ends)
        try:
            yield turn
        finally:
            if turn.held():
                for mine in range(1, number + 1):
                    self._delete(_turn_name(model, mine))

    def _abandoned(self, turn: str, seen: dict[str, tuple[str, float]]) -> bool:
        """Check whether this process has seen the name with the same holder for LEASE_SECONDS; `seen` is its memory."""
        holder = (self.tags(turn) or {}).get("holder")
        if holder is None:  # it is just being deleted
            return False
        if seen.get(turn, ("", 0.0))[0] != holder:
            seen[turn] = (holder, time.monotonic())
        return time.monotonic() - seen[turn][1] > LEASE_SECONDS

    def _delete(self, turn: str) -> None:
        try:
            self.client.delete_registered_model(turn)
        except Exception as error:  # another process has deleted it
            if code_of(error) != "RESOURCE_DOES_NOT_EXIST":
                raise

    def tags(self, name: str) -> dict[str, str] | None:
        """Return the tags of a registered model, None if there is none of this name."""
        try:
            return dict(self.client.get_registered_model(name).tags)
        except Exception as error:
            if code_of(error) != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None


@dataclass(frozen=True)
class _Turn:
    """The lock that a process holds. ends: the monotonic time after which it must not begin anything."""

    registry: Registry
    model: str
    number: int
    holder: str
    ends: float

    def held(self) -> bool:
        """Ask the store whether the lock is still this process's: one that slept may have lost it."""
        tags = self.registry.tags(_turn_name(self.model, self.number))
        taken_over = self.registry.tags(_turn_name(self.model, self.number + 1)) is not None
        return tags is not None and tags.get("holder") == self.holder and not taken_over


def _turn_name(model: str, number: int) -> str:
    return f"{model}.promotion.{number}"


def _version(row: Any) -> Version:
    return Version(row.name, int(row.version), row.run_id, dict(row.tags))


def _named(version: int | str | None) -> str:
    return "none" if version is None else f"version {version}"
