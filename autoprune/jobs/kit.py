"""From a finished job to its device kit."""

from __future__ import annotations

from pathlib import Path

import torch

from autoprune.evaluation.rebuild import rebuild
from autoprune.export.kit import KitNetwork, check_kit, write_kit
from autoprune.jobs.measuring import BuildNetwork
from autoprune.jobs.packaging import check_finished, final_network, ranked_finalists, schedule_of
from autoprune.jobs.planning import Plan
from autoprune.jobs.race import contenders
from autoprune.trials.records import FinalistRecord, JobRecord
from autoprune.trials.store import TrialStore
from latency_tables.runtimes.onnx_export import export_onnx


def export_kit(store: TrialStore, job_id: str, plan: Plan, build: BuildNetwork, out: Path) -> None:
    """Write the zip: the unpruned network and the finalists that may be exported, best first.

    The chosen one is the bundle's own ``model.onnx``. The others hold the weights that were scored,
    or, where those are gone, slices of the base weights: their latency is the same.

    Args:
        build: a network of some widths from the base weights.
        out: a file that does not exist yet.

    Raises:
        InputError: the job is not finished, is not of onnxruntime, or ``out`` is there already.
        StorageError: it cannot be written.
    """
    job = store.job(job_id)
    check_finished(job)
    check_kit(out, plan.priced.table.context.runtime)
    example, base = plan.subject.example_input, plan.subject.measured()
    networks = [KitNetwork("unpruned", None, export_onnx(base.eval(), example), plan.priced.base_s)]
    for finalist in contenders(ranked_finalists(store, job)):
        network = _network(store, job, finalist, plan, build).eval()
        predicted = finalist.predicted["latency_s"]
        onnx = export_onnx(network, example)
        networks.append(KitNetwork(finalist.origin, finalist.slot, onnx, predicted))
    write_kit(out, schedule_of(store, job, plan), networks, example.shape)


def _network(
    store: TrialStore, job: JobRecord, finalist: FinalistRecord, plan: Plan, build: BuildNetwork
) -> torch.nn.Module:
    if finalist.slot == job.results["chosen"]["slot"]:
        return plan.subject.measured(final_network(store, job, plan.subject.model))
    weights = finalist.result.weights if finalist.result else None
    if weights is not None and store.has_artifact(weights):
        return plan.subject.measured(rebuild(plan.subject.model, store.get_artifact(weights))[0])
    return build(finalist.widths)
