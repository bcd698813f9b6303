"""The errors of autoprune; each message names the thing, what was expected and what to do.

* AutopruneError
    * InputError                 exit code 2: something the user gave cannot be used
        * UnknownNameError       no model, data, searcher... of that name; lists what there is
        * WeightsError           weights that do not fit the model; names the keys
        * DataError              a folder without classes, a broken image, wrong shapes
        * ModelError             a model that cannot be traced or pruned; names the layer
        * TaskError              a loss, metric or batch of a task that cannot be used; names it
        * TableError             a latency table that cannot be used or lacks an operator
        * DatabaseError          a database that cannot be opened
            * RevisionError      a database of another revision, or of another program
        * UnknownJobError        no job of that id
        * AmbiguousJobError      the start of several jobs' ids
        * JobStateError          a job in that state cannot be paused, resumed or cancelled
        * RepeatedRequestError   a request that made a job already
        * EnvironmentMismatchError   resume under another environment fingerprint
    * BudgetInfeasibleError      exit code 3: no schedule meets the budget; says the floor
    * ReplayMismatchError        a searcher no longer proposes what history says; names the trial
    * LeaseLostError             another driver took the job over; nothing was written
    * JobStoppedError            exit code 130: somebody asked to pause or cancel the job
    * StorageError               the disk is full or the artifact folder cannot be written
    * VerificationError          an exported bundle is not what it says
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class AutopruneError(Exception):
    """Base of every error autoprune raises on purpose."""

    exit_code = 1


class InputError(AutopruneError):
    """Something the user gave cannot be used."""

    exit_code = 2


class UnknownNameError(InputError):
    """No such name in a registry."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown {what} {name!r}; there is: {', '.join(sorted(known))}")


class WeightsError(InputError):
    """Weights that do not fit the model.

    Args:
        shapes: tensor -> (shape expected, shape got), where shapes are all that does not fit.
    """

    def __init__(
        self,
        message: str,
        shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] | None = None,
    ) -> None:
        super().__init__(message)
        self.shapes = dict(shapes or {})


class DataError(InputError):
    """Data that cannot be read or does not fit the model."""


class ModelError(InputError):
    """A model that cannot be loaded, traced or pruned."""


class TaskError(InputError):
    """A task, or a function of it, that cannot be used."""


class TableError(InputError):
    """A latency table that cannot be used."""


class DatabaseError(InputError):
    """A trial database that cannot be used."""


class RevisionError(DatabaseError):
    """A trial database whose tables are not those this program reads and writes."""


class JobStateError(InputError):
    """What is asked of a job is not possible in its state."""


class RepeatedRequestError(InputError):
    """A request of this key has made a job already."""


class UnknownJobError(InputError):
    """No job of that id.

    Args:
        on_server: whoever asks a server cannot name another database.
    """

    def __init__(self, job: str, *, on_server: bool = False) -> None:
        where, other = ("on this server", "another server with --server")
        if not on_server:
            where, other = ("in this database", "another database with --db")
        super().__init__(
            f"no job {job!r} {where}: list the jobs with 'autoprune jobs', or name {other}"
        )
        self.job = job


class AmbiguousJobError(InputError):
    """The start of several jobs' ids."""

    def __init__(self, start: str, jobs: Iterable[str]) -> None:
        super().__init__(
            f"{start!r} is the start of several jobs, {', '.join(jobs)}: give more of it"
        )


class EnvironmentMismatchError(InputError):
    """A job cannot go on bit for bit under this environment."""


class BudgetInfeasibleError(AutopruneError):
    """No schedule meets the budget."""

    exit_code = 3


class ReplayMismatchError(AutopruneError):
    """A replayed searcher proposed something else than the history says."""


class LeaseLostError(AutopruneError):
    """Another driver holds the job."""


class JobStoppedError(AutopruneError):
    """Somebody asked for the job to be paused or cancelled."""

    exit_code = 130

    def __init__(self, job: str, state: str) -> None:
        super().__init__(
            f"job {job} was asked to stop and is {state}; what was scored is kept, and a resume "
            "goes on there"
        )


class StorageError(AutopruneError):
    """Something could not be written."""


class VerificationError(AutopruneError):
    """An exported bundle is not what it says."""
