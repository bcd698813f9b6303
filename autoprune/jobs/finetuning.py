"""The last stage: a full finetune of the chosen network, and the accuracies before and after."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch

from autoprune.errors import AutopruneError
from autoprune.evaluation.base import test_accuracy
from autoprune.evaluation.checkpoint import pack
from autoprune.evaluation.rebuild import rebuild
from autoprune.evaluation.scoring import validate
from autoprune.evaluation.training import TrainingPlan, train
from autoprune.jobs.context import SearchContext
from autoprune.jobs.evaluations import Evaluations, Task
from autoprune.jobs.keys import hash_of
from autoprune.jobs.subject import Subject
from autoprune.pruning.space import Kept
from autoprune.trials.records import FinalistRecord, Json, TrialResult


@dataclass(frozen=True)
class WinnerFinetuner:
    """Trains from the chosen finalist's scored weights, one checkpoint an epoch."""

    subject: Subject
    plan: TrainingPlan
    seed: int

    def run(self, context: SearchContext, chosen: FinalistRecord) -> Json:
        """Accuracies before and after, and the artifacts of the weights."""
        start = self._scored_weights(context, chosen)
        network, kept = rebuild(self.subject.model, start)
        searched = self._accuracies(network)
        context.progress("finetune", {"epoch": 0, "epochs": self.plan.epochs})
        if self.plan.epochs:
            network = self._train(context, network, chosen.slot)
        final = self._accuracies(network)
        # Named after the job: the same bytes as a trial's weights could be deleted with those.
        packed = pack(network.state_dict(), kept, {"job": context.job.id})
        weights = context.store.put_artifact(packed, "final weights")
        return {
            "weights": weights,
            "kept": _as_lists(kept or {}),
            "epochs": self.plan.epochs,
            "validation": {
                "before": context.job.base["accuracy"],
                "after_search": searched["validation"],
                "after": final["validation"],
            },
            "test": {
                "before": self._base_test(context),
                "after_search": searched["test"],
                "after": final["test"],
            },
        }

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
            network, self.subject.data, self.plan, seed=self.seed, resume=resume, on_epoch=on_epoch
        )

    def clean_up(self, context: SearchContext) -> None:
        """Delete the last epoch's checkpoint."""
        done = context.store.job(context.job.id).results.get("finetune", {})
        if "checkpoint" in done:
            context.store.delete_artifact(done["checkpoint"])

    def _accuracies(self, network: torch.nn.Module) -> dict[str, float | None]:
        data = self.subject.data
        return {
            "validation": validate(network, data, "val")[1],
            "test": test_accuracy(network, data),
        }

    def _base_test(self, context: SearchContext) -> float | None:
        """The test split is evaluated once per (weights, data), and remembered."""
        key = hash_of(
            {
                "test of": self.subject.weights_hash,
                "data": self.subject.data.digest,
                "environment": context.job.environment,
            }
        )
        stored = context.store.evaluation(key)
        if stored is not None:
            return stored.accuracy
        accuracy = test_accuracy(self.subject.model, self.subject.data)
        context.store.save_evaluation(key, TrialResult(accuracy, None, accuracy, 0.0))
        return accuracy


def _as_lists(kept: Kept) -> dict[str, list[int]]:
    return {name: [int(unit) for unit in units] for name, units in kept.items()}
