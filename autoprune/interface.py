"""autoprune from Python: search a model and loaders that are already in memory."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from autoprune import composition
from autoprune.data.dataset import Dataset
from autoprune.data.loaders import materialise
from autoprune.data.task import Task
from autoprune.errors import InputError
from autoprune.evaluation.environment import set_training_threads, settings_kept
from autoprune.evaluation.placement import device_of
from autoprune.export.schedule import Schedule
from autoprune.jobs.context import Progress, silent
from autoprune.jobs.packaging import export_job, final_network, holds_bundle_of, schedule_of
from autoprune.jobs.planning import Plan
from autoprune.jobs.subject import make_subject, task_of
from autoprune.jobs.summary import summarise_job
from autoprune.models.admission import check_model
from autoprune.models.attention import prunable_attention
from autoprune.spec import IN_MEMORY, JobSpec, make_spec
from autoprune.trials.records import JobRecord


@dataclass(frozen=True)
class SearchResult:
    """A finished search.

    Args:
        job: id in the trial database.
    """

    job: str
    # Arrays of every channel and operator hide the id where a result is printed.
    _stores: composition.Stores = field(repr=False)
    _plan: Plan = field(repr=False)

    @property
    def schedule(self) -> Schedule:
        """Widths, kept channels, latencies and accuracies."""
        trials = self._stores.trials
        return schedule_of(trials, trials.job(self.job), self._plan)

    @property
    def model(self) -> torch.nn.Module:
        """The pruned, finetuned network in eval mode."""
        trials = self._stores.trials
        return final_network(trials, trials.job(self.job), self._plan.subject.model)

    @property
    def summary(self) -> dict[str, Any]:
        """What ``autoprune show JOB --json`` prints."""
        return summarise_job(self._stores.trials, self.job)

    def export(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the bundle and return its folder."""
        out = Path(folder)
        export_job(self._stores.trials, self.job, self._plan, out, overwrite=overwrite)
        return out


def search(
    model: torch.nn.Module,
    example_input: torch.Tensor,
    *,
    train: Iterable[Any],
    val: Iterable[Any] | None = None,
    test: Iterable[Any] | None = None,
    classes: int | Sequence[str] | None = None,
    task: Task | str | None = None,
    budget: str | Sequence[str] = "50%",
    searcher: str = "solver",
    workers: int = 1,
    db: str = "autoprune.db",
    resume: str | None = None,
    progress: Progress = silent,
    **options: Any,
) -> SearchResult:
    """Find the channels to keep in every layer of ``model`` under ``budget``.

    Args:
        model: trained; it stays as it is. Its device is the one that candidates are trained on.
        example_input: [batch, C, H, W]; its batch is the one latency is measured at.
        train, val, test: iterables of (images, labels) batches, read once into memory. Without
            ``val`` a part of ``train`` is set aside, which a network trained on it scores too well.
        classes: their number or names, where ``train`` does not have them all.
        task: what the network is for, where that is not image classification: an
            :class:`autoprune.Task`, or the name of one. Targets in ``train``, ``val`` and ``test``
            are then whatever its functions take.
        budget: ``"50%"``, ``"8ms"``, ``"macs=20M"``..., or several of them.
        workers: processes; more than one needs ``if __name__ == "__main__":`` in your script.
        db: trial database; a job in it goes on with ``resume=JOB``, which takes all that decides
            the search (budget, divisor, ignore...) from the job. A finished one is finetuned
            again where ``finetune_epochs`` or ``finetune_learning_rate`` is given.
        progress: called with (kind, payload) of each event.
        options: any other field of a job file: trials, seed, finetune_epochs, fidelity...

    Raises:
        InputError: something given cannot be used; says what.
        BudgetInfeasibleError: no schedule meets the budget; says the floor.
    """
    check_model(model)
    spec = make_spec(
        {
            "model": IN_MEMORY,
            "data": IN_MEMORY,
            "task": IN_MEMORY if isinstance(task, Task) else task,
            "budget": budget,
            "searcher": searcher,
            "workers": workers,
            "db": db,
            "batch": len(example_input),
            "train_device": str(device_of(model)),
            **options,
        },
        source="the call",
    )
    stored = None if resume is None else composition.open_job(spec.db, resume, spec.artifacts)
    if stored is not None:  # what is not given again is the job's
        given_again = [name for name in _HOW if name in options or name in _CALLERS]
        spec = composition.spec_of(stored[1], {name: getattr(spec, name) for name in given_again})
    with settings_kept():
        set_training_threads(spec.train_threads)
        given = task if isinstance(task, Task) else _named_task(spec)
        dataset = materialise(train, val, test, name="data in memory", classes=classes, task=given)
        refinetune = not _FINETUNE.isdisjoint(options)
        return _search(spec, model, example_input, dataset, stored, progress, refinetune)


_HOW = ("workers", "train_device", "finetune_epochs", "finetune_learning_rate", "unmeasured", "out")
"""What a resume may change: nothing of it decides the search."""
_CALLERS = {"workers", "train_device"}
"""Of these, what each call says for itself."""
_FINETUNE = {"finetune_epochs", "finetune_learning_rate"}


def _named_task(spec: JobSpec) -> Task | None:
    if spec.task == IN_MEMORY:
        raise InputError(
            "the job was started with a task in memory: resume it with the same one, "
            "autoprune.search(..., resume=JOB, task=TASK)"
        )
    return task_of(spec)


def _search(
    spec: JobSpec,
    model: torch.nn.Module,
    example_input: torch.Tensor,
    dataset: Dataset,
    stored: tuple[composition.Stores, JobRecord] | None,
    progress: Progress,
    refinetune: bool,
) -> SearchResult:
    own = prunable_attention(copy.deepcopy(model).cpu())
    subject = make_subject(spec, own, dataset, tuple(example_input.shape[1:]), progress)
    again = False
    if stored is None:
        stores, job, plan = composition.submit(spec, progress, subject)
    else:
        stores, record = stored
        job = record.id
        how = {name: getattr(spec, name) for name in _HOW}
        plan = composition.reopen(stores, job, progress, how, subject)
        again = refinetune and record.state == "finished"
    composition.run(stores, job, plan, progress)
    if again:
        composition.finetune_again(stores, job, plan, progress)
    result = SearchResult(job, stores, plan)
    if plan.spec.out is not None:
        held = holds_bundle_of(Path(plan.spec.out), job)
        if again or not held:
            result.export(plan.spec.out, overwrite=held)
    return result
