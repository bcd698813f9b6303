"""What a finished job chose, read off the database alone: no network is loaded."""

from __future__ import annotations

from autoprune.jobs.packaging import check_finished
from autoprune.jobs.summary import layers_of, savings_of, summarise_job
from autoprune.trials.records import Json
from autoprune.trials.store import TrialStore


def describe_chosen(store: TrialStore, job_id: str) -> Json:
    """Layers, groups with the units kept, latencies and accuracies.

    Raises:
        InputError: the job is not finished.
    """
    job = store.job(job_id)
    check_finished(job)
    shown, found = summarise_job(store, job.id), job.results["chosen"]
    chosen = store.finalist(job.id, found["slot"])
    kept = job.results["final"]["kept"]
    return {
        "job": job.id,
        "digest": shown["digest"],
        "budget": shown["budget"],
        "status": found["status"],
        "base_latency_s": job.base["measured_latency_s"],
        "predicted_latency_s": chosen.predicted["latency_s"],
        "measured_latency_s": found.get("latency_s"),
        "layers": layers_of(job, chosen.widths),
        "groups": {
            group["name"]: {"units": group["units"], "width": width, "kept": kept[group["name"]]}
            for group, width in zip(job.what["groups"], chosen.widths, strict=True)
        },
        "savings": savings_of(job),
        "accuracy": shown["final"]["accuracy"],
    }
