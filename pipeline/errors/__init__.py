"""Errors for the user: the command line prints the message without a traceback, and exits with 2."""


class UserError(Exception):
    """Something that the user can correct; the message says what is wrong, where, and what would be right."""

    code = 2  # exit code of the command line


class ConfigError(UserError):
    """A mistake in params.yaml or on the command line."""


class DataError(UserError):
    """Raw or prepared data that cannot be used."""


class DownloadError(UserError):
    """A published file that cannot be downloaded, or differs from the pinned one."""


class TrainingError(UserError):
    """A failed training (its loss is not finite); no model is published."""


class WorkerLost(UserError):
    """A process that takes part in a training has ended; the training has kept its checkpoint."""


class StoreError(UserError):
    """The tracking store is unreachable or refused a request; the message says what was left unchanged."""


class Conflict(UserError):
    """Somebody else is promoting another version, or has just promoted one."""


class Busy(UserError):
    """An answer would come too late, or too many requests wait already; the same request may succeed later."""


class ServerFailed(UserError):
    """The process of a served model failed; it has printed its own error."""


class StageFailed(UserError):
    """A stage failed; it has printed its own error."""

    code = 1
