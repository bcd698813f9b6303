"""From a finished job to its bundle: everything schedule.json says, gathered from the database."""

from __future__ import annotations

from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from autoprune.budget import latency_key
from autoprune.errors import InputError
from autoprune.evaluation.contract import Metric
from autoprune.evaluation.rebuild import rebuild
from autoprune.export.archive import archive_of
from autoprune.export.bundle import is_bundle, write_bundle
from autoprune.export.figure_entries import FigureOfSplit, TaskFigure, UndoneFinetune
from autoprune.export.files import read_schedule
from autoprune.export.front import front_document
from autoprune.export.history import History, TrialRow
from autoprune.export.latency_entries import Finalist, Latency, Learned
from autoprune.export.schedule import (
    Accuracy,
    AccuracyOfSplit,
    Budget,
    Costs,
    DeviceLatency,
    Hashes,
    KeptGroup,
    Layer,
    MetricReference,
    ModelReference,
    Provenance,
    Ranking,
    Schedule,
)
from autoprune.jobs.front import read_front
from autoprune.jobs.planning import Plan
from autoprune.jobs.race import ranked
from autoprune.jobs.ranking import agreement_of
from autoprune.jobs.repeating import command_of, unsaid_fields
from autoprune.jobs.summary import devices_of, layers_of, savings_of, summarise_job, trial_rows
from autoprune.spec import IN_MEMORY
from autoprune.trials.records import FinalistRecord, JobRecord, Json
from autoprune.trials.store import TrialStore

FILES = {
    "schedule": "schedule.json",
    "weights": "model.safetensors",
    "ONNX": "model.onnx",
    "report": "report.html",
}


def check_finished(job: JobRecord) -> None:
    """Raise InputError unless the job has something to export."""
    if job.state != "finished":
        raise InputError(
            f"job {job.id} is {job.state} in its {job.stage} stage; only a finished job can be "
            f"exported: go on with 'autoprune resume {job.id}'"
        )


def bundle_files(folder: Path) -> dict[str, str]:
    """What a bundle holds, by name."""
    return {name: str(folder / file) for name, file in FILES.items()}


def holds_bundle_of(folder: Path, job: str) -> bool:
    """Whether a folder holds this very job's bundle, so that there is nothing left to export."""
    return is_bundle(folder) and read_schedule(folder).provenance.job == job


def export_job(
    store: TrialStore, job_id: str, plan: Plan, out: Path, *, overwrite: bool = False
) -> Schedule:
    """Write the bundle of a finished job; returns what its schedule.json says."""
    check_finished(store.job(job_id))
    return _write(store, job_id, plan, out, overwrite=overwrite)


def package_job(store: TrialStore, job_id: str, plan: Plan, out: Path) -> Json:
    """Write the bundle of a job in its last step, and keep it whole as one artifact.

    Returns:
        Results of the job: ``bundle_archive``, the sha256 of a zip archive with the bundle's files.

    Raises:
        InputError: the folder holds something else than this job's bundle.
    """
    _write(store, job_id, plan, out, overwrite=holds_bundle_of(out, job_id))
    return {"bundle_archive": store.put_artifact(archive_of(out), "bundle")}


def _write(store: TrialStore, job_id: str, plan: Plan, out: Path, *, overwrite: bool) -> Schedule:
    job = store.job(job_id)
    schedule = schedule_of(store, job, plan)
    write_bundle(
        out,
        pruned=final_network(store, job, plan.subject.model),
        unpruned=plan.subject.model,
        example_input=plan.subject.example_input,
        schedule=schedule,
        history=_history(store, job),
        overwrite=overwrite,
    )
    return schedule


def final_network(store: TrialStore, job: JobRecord, unpruned: torch.nn.Module) -> torch.nn.Module:
    """The network the job ended with: its last finetuned weights."""
    network, _ = rebuild(unpruned, store.get_artifact(job.results["final"]["weights"]))
    return network.eval()


def schedule_of(store: TrialStore, job: JobRecord, plan: Plan) -> Schedule:
    """Everything schedule.json says, except the hashes of the files beside it."""
    chosen = store.finalist(job.id, job.results["chosen"]["slot"])
    context = plan.priced.table.context
    what, spec = job.what, plan.spec
    return Schedule(
        model=ModelReference(
            name=None if spec.model == IN_MEMORY else spec.model,
            classes=len(plan.subject.data.classes),
            input_shape=plan.subject.data.input_shape,
            part=plan.subject.part,
        ),
        layers={name: Layer(**layer) for name, layer in layers_of(job, chosen.widths).items()},
        groups=_groups(job, chosen),
        budget=_budget(job, plan),
        device=context.device.to_json(),
        runtime=context.runtime,
        batch=context.batch,
        threads=context.threads,
        latency=_latency(job, chosen, context.device.processor),
        devices=tuple(DeviceLatency(**row) for row in devices_of(job, chosen.predicted)),
        costs=Costs(
            macs=(job.base["macs"], chosen.predicted["macs"]),
            params=(job.base["params"], chosen.predicted["params"]),
        ),
        accuracy=_accuracy(job.results["final"]),
        figure=_figure(job.results["final"], plan),
        score=chosen.result.score if chosen.result else None,
        metric=MetricReference(**what["metric"]),
        finalists=tuple(map(_finalist, ranked_finalists(store, job))),
        ranking=Ranking(**agreement_of(store, job.id, store.finalists(job.id))),
        learned=Learned(**job.results["learned"]) if "learned" in job.results else None,
        undone_finetune=_undone(job.results["final"]),
        provenance=_provenance(store, job, plan, chosen),
        hashes=Hashes(
            base_weights=what["weights"],
            data=what["data"],
            table=plan.priced.table.hash,
            calibration=plan.priced.calibration.hash,
        ),
    )


def _groups(job: JobRecord, chosen: FinalistRecord) -> dict[str, KeptGroup]:
    kept = job.results["final"]["kept"]
    return {
        group["name"]: KeptGroup(units=group["units"], width=width, kept=tuple(kept[group["name"]]))
        for group, width in zip(job.what["groups"], chosen.widths, strict=True)
    }


def _budget(job: JobRecord, plan: Plan) -> Budget:
    limits, latency = job.what["limits"], latency_key(plan.primary)
    fraction = next((b.fraction for b in plan.spec.bounds if b.key == latency), None)
    return Budget(
        given=tuple(job.how["budget"]),
        latency_s=limits.get(latency),
        latency_fraction=fraction,
        macs=limits.get("macs"),
        params=limits.get("params"),
    )


def _latency(job: JobRecord, chosen: FinalistRecord, processor: str) -> Latency:
    found = job.results["chosen"]
    return Latency(
        base_s=job.base["measured_latency_s"],
        predicted_s=chosen.predicted["latency_s"],
        measured_s=found.get("latency_s"),
        measured_ratio=found.get("ratio"),
        measured_on=found.get("measured_on", processor if "ratio" in found else None),
        status=found["status"],
    )


def ranked_finalists(store: TrialStore, job: JobRecord) -> list[FinalistRecord]:
    """Every finalist with a score, best first; then those that only measuring asked for."""
    every = store.finalists(job.id)
    order = ranked(every, Metric(**job.what["metric"]))
    slots = {finalist.slot for finalist in order}
    extra = [f for f in every if f.slot not in slots and f.result and f.result.score is not None]
    return [*order, *extra]


def _finalist(finalist: FinalistRecord) -> Finalist:
    return Finalist(
        origin=finalist.origin,
        score=finalist.result.score if finalist.result else None,
        predicted_s=finalist.predicted["latency_s"],
        measured_s=(finalist.measured or {}).get("latency_s"),
    )


def _accuracy(final: Json) -> Accuracy:
    def of(split: str) -> AccuracyOfSplit | None:
        values: dict[str, Any] = final[split]
        return None if values["after"] is None else AccuracyOfSplit(**values)

    return Accuracy(validation=of("validation"), test=of("test"))


def _undone(final: Json) -> UndoneFinetune | None:
    return UndoneFinetune(**final["undone"]) if "undone" in final else None


def _figure(final: Json, plan: Plan) -> TaskFigure | None:
    if "figure" not in final:
        return None
    found, splits = final["figure"], {}
    for split in ("validation", "test"):
        values: dict[str, Any] = found[split]
        splits[split] = None if values["after"] is None else FigureOfSplit(**values)
    task = plan.subject.task
    return TaskFigure(
        task=task.name or None if task else None,
        name=found["name"],
        direction=found["direction"],
        **splits,
    )


def _provenance(
    store: TrialStore, job: JobRecord, plan: Plan, chosen: FinalistRecord
) -> Provenance:
    shown, final = summarise_job(store, job.id), job.results["final"]
    done = {"finetune_epochs": final["epochs"]}
    if "learning_rate" in final:
        done["finetune_learning_rate"] = final["learning_rate"]
    spec = plan.spec.model_copy(update=done)  # it may have been finetuned again since
    return Provenance(
        job=job.id,
        searcher=shown["searcher"],
        seed=shown["seed"],
        trials=shown["trials"],
        trial=chosen.trial,
        digest=shown["digest"],
        autoprune_version=version("autoprune"),
        environment=job.environment,
        created=job.created,
        command=command_of(spec, plan.tables, unsaid_fields(store, spec)),
    )


def _history(store: TrialStore, job: JobRecord) -> History:
    wanted = [field.name for field in fields(TrialRow)]
    trials = [row for row in trial_rows(store, job.id) if row["purpose"] != "probe"]
    front, savings = front_document(read_front(store, job.id)), savings_of(job) or [{}]
    return History(
        trials=[TrialRow(**{name: row[name] for name in wanted}) for row in trials],
        base_score=job.base["score"],
        # Without the job's state, which is another one when a worker packages.
        front={name: front[name] for name in ("front", "unpruned", "chosen")},
        shares_before=job.base.get("layer_shares"),
        shares_after=savings[0].get("layer_shares"),
    )
