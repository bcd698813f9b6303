"""What a job is about: the network, its data, and what can be pruned of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from autoprune.cache import cache_folder
from autoprune.data.dataset import Dataset
from autoprune.data.registry import load_data
from autoprune.data.task import Task
from autoprune.data.task_names import load_task
from autoprune.errors import DataError, ModelError, StorageError
from autoprune.evaluation.environment import set_training_threads
from autoprune.evaluation.layout import laid_out
from autoprune.evaluation.part_inputs import part_shape
from autoprune.evaluation.recorded_outputs import Recorded, outputs_differ, record_outputs
from autoprune.evaluation.training import TrainingPlan, train
from autoprune.jobs.causes import told_by_cause
from autoprune.jobs.context import Progress, silent
from autoprune.jobs.forward_passes import check_copied_after_use, check_input_kept, check_outputs
from autoprune.jobs.keys import hash_of
from autoprune.models.registry import find_model
from autoprune.models.weights import check_weights_file, load_weights, save_weights, state_hash
from autoprune.pruning.groups import find_groups
from autoprune.pruning.network import Network, read_network
from autoprune.pruning.parts import part_of
from autoprune.pruning.space import SearchSpace
from autoprune.spec import JobSpec
from autoprune.trials.records import JobRecord

DEFAULT_TRAINING = TrainingPlan(epochs=20, batch_size=64, learning_rate=0.1)
"""How the embedded default network is trained when no weights are given."""


@dataclass(frozen=True)
class Subject:
    """One network with its data.

    Args:
        model: unpruned, base weights, eval mode.
        dataset: None where only latency matters.
        example_input: [batch, C, H, W], float32, as the network takes it that is measured.
        weights_hash: of the base weights.
        structure: hash of the operators and groups, whatever the weights.
        part: name of the submodule that is pruned and measured; empty for all of the network.
    """

    model: torch.nn.Module
    dataset: Dataset | None
    example_input: torch.Tensor
    space: SearchSpace
    network: Network
    weights_hash: str
    structure: str
    part: str = ""

    @property
    def data(self) -> Dataset:
        """The dataset; raises DataError where there is none."""
        if self.dataset is None:
            raise DataError("this needs data: name it with --data")
        return self.dataset

    def measured(self, network: torch.nn.Module | None = None) -> torch.nn.Module:
        """What is measured and exported of a network of this job; of the unpruned one by default.

        It shares its tensors with the network.
        """
        return part_of(self.model if network is None else network, self.part)

    @property
    def task(self) -> Task | None:
        """What the network is for; None for classification."""
        return None if self.dataset is None else self.dataset.task


def example_for(shape: Sequence[int], batch: int) -> torch.Tensor:
    """A fixed example input [batch, *shape], float32."""
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(0))


def load_subject(
    spec: JobSpec, progress: Progress, state: Mapping[str, torch.Tensor] | None = None
) -> Subject:
    """Load what the spec names; trains the embedded default when it has no weights yet.

    Args:
        state: base weights of a stored job, in place of the spec's.
    """
    set_training_threads(spec.train_threads)
    build = find_model(spec.model)
    if state is None and spec.weights is not None:
        check_weights_file(Path(spec.weights))
    task = task_of(spec)
    progress("loading", {"what": f"data {spec.data}"})
    dataset = load_data(spec.data, cache_dir=cache_folder(), task=task)
    progress("loading", {"what": f"model {spec.model}"})
    with told_by_cause(dataset):
        model = build(len(dataset.classes), dataset.input_shape)
        if state is None and spec.weights is not None:
            load_weights(model, Path(spec.weights))
    if state is not None:
        _load_stored(model, state, spec.model)
    elif spec.weights is None and spec.is_default_job:
        _load_or_train_default(spec, model, dataset, progress)
    return make_subject(spec, model, dataset, dataset.input_shape, progress)


def task_of(spec: JobSpec) -> Task | None:
    """The task that a spec names; None for classification."""
    return None if spec.task is None else load_task(spec.task)


def make_subject(
    spec: JobSpec,
    model: torch.nn.Module,
    dataset: Dataset | None,
    shape: Sequence[int],
    progress: Progress,
) -> Subject:
    """Find what can be pruned of a model in memory.

    Args:
        dataset: None where only latency matters.
        shape: of one image; without data of one as the task's part takes it.
    """
    model.eval()
    dataset = None if dataset is None else laid_out(model, dataset)
    task = task_of(spec) if dataset is None else dataset.task
    part = "" if task is None else task.part
    seen = part_of(model, part)
    with told_by_cause(dataset):
        if part and task is not None and dataset is not None:
            shape = part_shape(model, dataset, task, spec.batch)
        example = example_for(shape, spec.batch)
        space = _space(spec, seen, example, dataset, progress)
    network = read_network(seen, example, space)
    return Subject(
        model=model,
        dataset=dataset,
        example_input=example,
        space=space,
        network=network,
        weights_hash=state_hash(model.state_dict()),
        structure=_structure(space, network, example),
        part=part,
    )


def _space(
    spec: JobSpec,
    seen: torch.nn.Module,
    example: torch.Tensor,
    dataset: Dataset | None,
    progress: Progress,
) -> SearchSpace:
    """The groups of a network whose forward pass was looked at first."""
    check_input_kept(seen, example)
    check_copied_after_use(seen, example)
    if dataset is not None:
        check_outputs(seen, example, dataset)
    progress("loading", {"what": "the channels that are tied together"})
    return find_groups(
        seen,
        example,
        ignore=spec.ignore,
        divisor=spec.divisor,
        min_keep=spec.min_keep,
        rules=spec.rules,
        tied=spec.tied,
    )


def outputs_of(subject: Subject) -> Recorded | None:
    """What the unpruned network, or its part, puts out: the mark of its code."""
    return record_outputs(subject.measured(), subject.example_input.shape[1:])


def check_same_code(job: JobRecord, subject: Subject) -> None:
    """Raise ModelError where the code of a job's network was edited since it was submitted.

    A job that recorded no outputs goes on as it is. Other weights are told as what they are, by
    their hash.

    Args:
        subject: as it is now.
    """
    recorded = job.how.get("outputs")
    if recorded is None or subject.weights_hash != job.what["weights"]:
        return
    differ = outputs_differ(subject.measured(), recorded)
    if differ is not None:
        raise ModelError(
            f"model {job.how['spec']['model']} no longer computes what it did when job {job.id} "
            f"was submitted, though its weights are the same: {differ}. Its code was edited, and "
            "scores of two networks do not belong in one job: restore the code, or start a new job "
            "without --from"
        )


def _structure(space: SearchSpace, network: Network, example: torch.Tensor) -> str:
    groups = [
        [
            g.name,
            g.units,
            list(g.choices),
            [[s.tensor, s.dim, _index_hash(s.index)] for s in g.slices],
        ]
        for g in space.groups
    ]
    operators = sorted(str(op) for op in network.operators())
    return hash_of({"groups": groups, "operators": operators, "input": list(example.shape)})


def _index_hash(index: torch.Tensor) -> str:
    return hashlib.sha256(index.contiguous().numpy().tobytes()).hexdigest()[:16]


def _load_stored(model: torch.nn.Module, state: Mapping[str, torch.Tensor], name: str) -> None:
    try:
        model.load_state_dict(dict(state))
    except RuntimeError as error:
        raise ModelError(
            f"model {name} is no longer the one the job was submitted with, its weights do not fit "
            f"({error}): restore it, or start a new job"
        ) from error


def _load_or_train_default(
    spec: JobSpec, model: torch.nn.Module, dataset: Dataset, progress: Progress
) -> None:
    recipe = hash_of({"plan": str(DEFAULT_TRAINING), "model": str(model), "data": dataset.digest})
    path = cache_folder() / f"digits_cnn-{recipe[:16]}.safetensors"
    if not path.exists():
        # What cannot be searched whatever its weights is not worth training.
        make_subject(spec, model, dataset, dataset.input_shape, silent)
        progress("training", {"epoch": 0, "epochs": DEFAULT_TRAINING.epochs})

        def on_epoch(epoch: int, _checkpoint: bytes | None, loss: float) -> None:
            progress("training", {"epoch": epoch, "epochs": DEFAULT_TRAINING.epochs, "loss": loss})

        trained = train(model, dataset, DEFAULT_TRAINING, seed=0, on_epoch=on_epoch)
        _keep_trained(path, trained.state_dict())
    load_weights(model, path)


def _keep_trained(path: Path, state: Mapping[str, torch.Tensor]) -> None:
    try:
        save_weights(state, path)
    except OSError as error:
        raise StorageError(
            f"the trained network could not be kept in {path.parent}: {error.strerror}. Free space "
            "there, or name another folder with AUTOPRUNE_CACHE"
        ) from error
