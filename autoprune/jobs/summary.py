"""A job as others read it: `show --json`, `trials --json`, the table at the end of a search."""

from __future__ import annotations

from autoprune.budget import latency_key
from autoprune.evaluation.contract import Metric
from autoprune.jobs.keys import job_digest
from autoprune.jobs.listing import shown_state
from autoprune.jobs.race import ranked
from autoprune.jobs.ranking import agreement_of
from autoprune.pruning.layers import layer_view
from autoprune.trials.records import FinalistRecord, JobRecord, Json, TrialRecord, TrialResult
from autoprune.trials.store import TrialStore


def summarise_job(store: TrialStore, job_id: str) -> Json:
    """The object `autoprune show JOB --json` prints."""
    job = store.job(job_id)
    tally = store.tally(job.id)
    entered = store.finalists(job.id)
    finalists = ranked(entered, _metric(job))
    complete = job.stage in ("measure", "finetune", "done")
    return {
        "job": job.id,
        "state": shown_state(store, job.id, job.state),
        "stage": job.stage,
        "priority": job.priority,
        "searcher": job.what["searcher"],
        "seed": job.what["seed"],
        "trials": tally.asked,
        "trials_told": tally.told,
        "probes": {"count": tally.probes, "seconds": tally.probe_seconds},
        "digest": job_digest(
            job.what_hash,
            store.first_lines(job.id, tally.tells),
            finalists if complete else [],
        ),
        "budget": budget_of(job),
        "metric": job.what["metric"],
        "base": base_of(job),
        "best": _best(store, job),
        "ranking": agreement_of(store, job.id, entered),
        "final": _final(job),
        "timing_dependent": job.timing_dependent,
        "error": job.error if job.state == "failed" else None,
    }


_BASE_KEYS = (
    "score",
    "accuracy",
    "measured_latency_s",
    "predicted_latency_s",
    "macs",
    "params",
)


def trial_rows(
    store: TrialStore, job_id: str, start: int = 0, limit: int | None = None
) -> list[Json]:
    """The list `autoprune trials JOB --json` prints; from one trial on, so many of it."""
    job = store.job(job_id)
    names = _group_names(job)
    return [
        {
            "index": trial.index,
            "purpose": trial.purpose,
            "state": trial.state,
            "widths": dict(zip(names, trial.widths, strict=True)),
            "score": trial.result.score if trial.result else None,
            "accuracy": trial.result.accuracy if trial.result else None,
            **_figure_of(job, trial.result),
            "predicted_latency_s": trial.predicted.get("latency_s"),
            "seconds": trial.result.seconds if trial.result else None,
            "error": trial.result.error if trial.result else None,
            "macs": trial.predicted.get("macs"),
            "start_from": trial.start_from,
        }
        for trial in store.trials(job.id, start, limit)
    ]


def layers_of(job: JobRecord, widths: tuple[int, ...]) -> Json:
    """The per-layer view of one schedule of this job."""
    named = dict(zip(_group_names(job), widths, strict=True))
    return layer_view(job.base["layers"], named)


def devices_of(job: JobRecord, predicted: Json) -> list[Json]:
    """One schedule's latency on each device, where the job has several tables; else empty.

    Args:
        predicted: what the cost models say of the schedule.
    """
    chosen = job.results.get("chosen", {})
    rows = []
    for device in job.base.get("devices", []):
        is_primary = device["name"] == job.base["primary"]
        measured = chosen.get("latency_s") if is_primary else None
        rows.append(
            {
                **device,
                "predicted_s": predicted["latencies_s"][device["name"]],
                "measured_s": measured,
                "status": "predicted" if measured is None else "measured",
            }
        )
    return rows


def savings_of(job: JobRecord) -> list[Json] | None:
    """What each group of the chosen schedule saves, by each table; None until one is chosen."""
    found: list[Json] | None = job.results.get("chosen", {}).get("why")
    return found


def _group_names(job: JobRecord) -> list[str]:
    return [group["name"] for group in job.what["groups"]]


def _metric(job: JobRecord) -> Metric:
    return Metric(**job.what["metric"])


def budget_of(job: JobRecord) -> Json:
    """The budget as it was given, and in seconds, multiply-adds and parameters."""
    return {"given": job.how["budget"], **_limits(job)}


def base_of(job: JobRecord) -> Json:
    """The unpruned network, less the shape of its layers."""
    return {key: job.base.get(key) for key in _BASE_KEYS} | _own(job.base)


def _limits(job: JobRecord) -> Json:
    names = {"macs": "macs", "params": "params"}
    names[latency_key(job.base.get("primary", ""))] = "latency_s"
    limits = job.what["limits"]
    return {names[key]: limit for key, limit in limits.items() if key in names}


def _best(store: TrialStore, job: JobRecord) -> Json | None:
    """The chosen finalist once there is one; until then the best candidate so far."""
    chosen = job.results.get("chosen")
    best: FinalistRecord | TrialRecord
    if chosen is not None:
        best = store.finalist(job.id, chosen["slot"])
        index = best.trial
    else:
        found = store.best_trial(job.id, lowest=job.what["metric"]["direction"] == "minimize")
        if found is None:
            return None
        best, index = found, found.index
    return {
        "trial": index,
        "score": best.result.score if best.result else None,
        "accuracy": best.result.accuracy if best.result else None,
        **_figure_of(job, best.result),
        "predicted_latency_s": best.predicted.get("latency_s"),
        "measured_latency_s": (chosen or {}).get("latency_s"),
        "devices": devices_of(job, best.predicted),
        "macs": best.predicted.get("macs"),
        "params": best.predicted.get("params"),
        "layers": layers_of(job, best.widths),
    }


def _final(job: JobRecord) -> Json | None:
    final = job.results.get("final")
    if final is None:
        return None
    return {
        "finetune_epochs": final["epochs"],
        "undone_finetune": final.get("undone"),
        "accuracy": {"validation": final["validation"], "test": final["test"]},
        **_own(final),
    }


def _own(told: Json) -> Json:
    """The figures of a task, which a classification has none of."""
    return {"figure": told["figure"]} if "figure" in told else {}


def _figure_of(job: JobRecord, result: TrialResult | None) -> Json:
    """The same of one result, as the value alone: its name stands with the unpruned network."""
    return {"figure": result.figure if result else None} if "figure" in job.base else {}


def comparison(store: TrialStore, job_id: str) -> Json:
    """One job as a row of `autoprune compare`, on the test split where there is one.

    A task has no accuracies, and ``figure`` with the name and values that it has in their place.
    """
    shown = summarise_job(store, job_id)
    base, final = shown["base"], shown["final"] or {}
    figure = base.get("figure")
    told = final.get("accuracy" if figure is None else "figure", {})
    split = "test" if told.get("test", {}).get("after") is not None else "validation"
    before = base["accuracy"] if figure is None else figure["value"]
    values = _steps(told.get(split, {"before": before}))
    accuracies = values if figure is None else dict.fromkeys(values)
    measured = (shown["best"] or {}).get("measured_latency_s")
    base_s = shown["base"]["measured_latency_s"]
    return {
        "job": shown["job"],
        "state": shown["state"],
        "searcher": shown["searcher"],
        "trials": shown["trials"],
        "budget": ", ".join(shown["budget"]["given"]),
        "split": split,
        **{f"accuracy_{step}": value for step, value in accuracies.items()},
        **({} if figure is None else {"figure": {"name": figure["name"], **values}}),
        "measured_latency_s": measured,
        "measured_ratio": None if measured is None else measured / base_s,
        "seconds_per_trial": store.tally(shown["job"]).seconds_each,
        "digest": shown["digest"],
    }


def _steps(told: Json) -> Json:
    named = {"base": "before", "after_search": "after_search", "after_finetune": "after"}
    return {step: told.get(key) for step, key in named.items()}
