"""The last stage: a full finetune of the chosen network, and what it is worth before and after."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass

import torch

from autoprune.data.task_names import task_identity
from autoprune.errors import AutopruneError
from autoprune.evaluation.base import figure
from autoprune.evaluation.checkpoint import pack
from autoprune.evaluation.metrics import own_metric
from autoprune.evaluation.placement import arranged, placed
from autoprune.evaluation.rebuild import rebuild
from autoprune.evaluation.training import TrainingPlan, train
from autoprune.export.figure_entries import ACCURACY, UndoneFinetune
from autoprune.jobs.context import SearchContext
from autoprune.jobs.evaluations import Evaluations, Task
from autoprune.jobs.keys import hash_of
from autoprune.jobs.subject import Subject
from autoprune.pruning.space import Kept
from autoprune.trials.records import FinalistRecord, Json, TrialResult

Figures = dict[str, float | None]
"""Of one network, by split; None where the data has none."""


@dataclass(frozen=True)
class WinnerFinetuner:
    """Trains from the chosen finalist's scored weights, one checkpoint an epoch.

    Args:
        device: where.
    """

    subject: Subject
    plan: TrainingPlan
    seed: int
    device: torch.device

    def run(self, context: SearchContext, chosen: FinalistRecord) -> Json:
        """Accuracies, or the task's figures, before and after, and the artifact of the weights.

        A finetune that makes the network worse is taken back: ``undone`` then says so.
        """
        start = self._scored_weights(context, chosen)
        network, kept = self._rebuilt(start)
        searched = self._figures(network)
        context.progress("finetune", {"epoch": 0, "epochs": self.plan.epochs})
        final, undone = searched, None
        if self.plan.epochs:
            network = self._train(context, network, chosen.slot)
            undone = self._undone(network, searched)
            if undone is None:
                final = self._figures(network)
            else:
                context.progress("warning", {"text": undone.says, "in_summary": True})
                network, _ = self._rebuilt(start)
        # Named after the job: the same bytes as a trial's weights could be deleted with those.
        packed = pack(network.state_dict(), kept, {"job": context.job.id})
        weights = context.store.put_artifact(packed, "final weights")
        return {
            "weights": weights,
            "kept": _as_lists(kept or {}),
            "epochs": self.plan.epochs,
            "learning_rate": self.plan.learning_rate,
            **({} if undone is None else {"undone": undone.model_dump(mode="json")}),
            **self._told(context, searched, final),
        }

    def _rebuilt(self, weights: bytes) -> tuple[torch.nn.Module, Kept | None]:
        network, kept = rebuild(self.subject.model, weights)
        return network.to(self.device), kept

    def _undone(self, network: torch.nn.Module, searched: Figures) -> UndoneFinetune | None:
        """Why a finetuned network is not what to export; None where it is.

        It is judged by what is told of it, on the validation images: accuracy, or the task's
        figure. A tie goes to the network that was trained for longer.
        """
        task, before = self.subject.task, searched["validation"]
        after = figure(network, self.subject.data, "val")
        if before is None:
            return None
        name, sign = ACCURACY, -1.0
        if task is not None:
            own = own_metric(task)
            name, sign = own.name, own.as_loss(1.0)
        if after is not None and sign * after <= sign * before:
            return None
        return UndoneFinetune(
            figure=name,
            before=before,
            after=after,
            epochs=self.plan.epochs,
            learning_rate=self.plan.learning_rate,
        )

    def _told(self, context: SearchContext, searched: Figures, final: Figures) -> Json:
        """Accuracies by split; of a task no accuracies, and its figures beside them."""
        task, base = self.subject.task, context.job.base
        of_validation = base["accuracy"] if task is None else base["figure"]["value"]
        before = {"validation": of_validation, "test": self._base_test(context)}
        told = {
            split: {"before": before[split], "after_search": searched[split], "after": final[split]}
            for split in before
        }
        if task is None:
            return told
        own = own_metric(task)
        nothing = dict.fromkeys(("before", "after_search", "after"))
        figures = {"name": own.name, "direction": own.direction, **told}
        return {**dict.fromkeys(told, nothing), "figure": figures}

    def _scored_weights(self, context: SearchContext, chosen: FinalistRecord) -> bytes:
        evaluations = Evaluations(context)
        stored = evaluations.stored_weights(chosen.result)
        if stored is not None:
            return stored
        again = evaluations.run(
            Task(
                "chosen",
                chosen.evaluation_key,
                chosen.widths,
                context.race,
                want_weights=True,
                fresh=True,
            )
        )
        if again.weights is None or chosen.result is None or again.score != chosen.result.score:
            raise AutopruneError(
                f"the chosen schedule scored {again.score} when its weights were made again; the "
                "database holds another score: this machine does not compute what the one before "
                "computed"
            )
        return context.store.get_artifact(again.weights)

    def _train(
        self, context: SearchContext, network: torch.nn.Module, slot: int
    ) -> torch.nn.Module:
        store, lease = context.store, context.lease
        done = context.store.job(context.job.id).results.get("finetune", {})
        # A resume may ask for another plan, an export for another finalist: what was trained by
        # the old one is of no use then.
        plan = {**asdict(self.plan), "slot": slot}
        sha = done.get("checkpoint") if done.get("plan") == plan else None
        resume = store.get_artifact(sha) if sha and store.has_artifact(sha) else None
        previous = sha if resume is not None else None

        def on_epoch(epoch: int, checkpoint: bytes | None, loss: float) -> None:
            nonlocal previous
            context.progress("finetune", {"epoch": epoch, "epochs": self.plan.epochs, "loss": loss})
            if checkpoint is None:
                return
            saved = store.put_artifact(checkpoint, "finetune checkpoint")
            at = {"epoch": epoch, "checkpoint": saved, "plan": plan}
            event = ("epoch", {"epoch": epoch, "epochs": self.plan.epochs})
            wish = store.commit(lease, events=[event], results={"finetune": at})
            if previous is not None and previous != saved:
                store.delete_artifact(previous)
            previous = saved
            context.heed(wish)

        return train(
            network,
            self.subject.data,
            self.plan,
            seed=self.seed,
            teacher=self._teacher(),
            resume=resume,
            on_epoch=on_epoch,
        )

    def _teacher(self) -> torch.nn.Module | None:
        """A copy of the unpruned network, laid out in memory as what it teaches."""
        if self.plan.teacher == 0:
            return None
        layout = self.subject.data.layout
        return arranged(copy.deepcopy(self.subject.model), layout, self.device)

    def clean_up(self, context: SearchContext) -> None:
        """Delete the last epoch's checkpoint."""
        done = context.store.job(context.job.id).results.get("finetune", {})
        if "checkpoint" in done:
            context.store.delete_artifact(done["checkpoint"])

    def _figures(self, network: torch.nn.Module) -> Figures:
        data = self.subject.data
        return {
            "validation": figure(network, data, "val"),
            "test": figure(network, data, "test"),
        }

    def _base_test(self, context: SearchContext) -> float | None:
        """The test split is evaluated once per (weights, data), and remembered."""
        task, outputs = self.subject.task, context.job.how.get("outputs")
        key = hash_of(
            {
                "test of": self.subject.weights_hash,
                "data": self.subject.data.digest,
                "environment": context.job.environment,
                **({} if task is None else {"task": task_identity(task)}),
                **({} if outputs is None else {"outputs": outputs}),
            }
        )
        stored = context.store.evaluation(key)
        if stored is not None:
            return stored.score
        value = figure(placed(self.subject.model, self.device), self.subject.data, "test")
        accuracy = value if task is None else None
        context.store.save_evaluation(key, TrialResult(value, None, accuracy, 0.0))
        return value


def _as_lists(kept: Kept) -> dict[str, list[int]]:
    return {name: [int(unit) for unit in units] for name, units in kept.items()}
