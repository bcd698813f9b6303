"""`autoprune search`: submit a job and run it to its end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from autoprune import composition
from autoprune.budget import parse_tables
from autoprune.cli.answer import answer
from autoprune.cli.driving import bundle_folder, report, resumable
from autoprune.cli.options import CRITERION_HELP, AsJson, Out, Queue, RayGpus
from autoprune.cli.output import print_queued, say
from autoprune.cli.progress import shown_progress
from autoprune.cli.remote import RemoteServer, Server
from autoprune.errors import InputError
from autoprune.jobs.packaging import export_job, holds_bundle_of
from autoprune.spec import JobSpec, load_values, make_spec

Text = str | None
Int = int | None
Float = float | None


def _option(*names: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, show_default=False, **more)


def search(
    job_file: Annotated[Path | None, typer.Argument(metavar="[JOB.yaml]", help="Job file.")] = None,
    model: Annotated[
        Text,
        _option(
            "--model",
            help="autoprune:NAME, torchvision:NAME, package.module:factory or file.py:factory.",
        ),
    ] = None,
    weights: Annotated[
        Text, _option("--weights", help="Trained weights (.safetensors, .pt).")
    ] = None,
    data: Annotated[
        Text, _option("--data", help="digits, cifar10:ROOT, imagefolder:DIR or a factory.")
    ] = None,
    task: Annotated[
        Text,
        _option(
            "--task",
            help="package.module:NAME or file.py:NAME of an autoprune.Task, for what is no image "
            "classification.",
        ),
    ] = None,
    budget: Annotated[
        list[str] | None,
        _option(
            "--budget",
            help="50%, 8ms, macs=20M, params=50%, or NAME=8ms by the table of that name; may be "
            "given several times.",
        ),
    ] = None,
    from_job: Annotated[
        Text,
        _option(
            "--from",
            help="Job whose evaluations answer another budget: at once, or with --trials as a new "
            "job that begins with them.",
        ),
    ] = None,
    searcher: Annotated[
        Text,
        _option(
            "--searcher",
            help="solver, portfolio, netadapt, tpe, legr, amc, global, random or uniform.",
        ),
    ] = None,
    trials: Annotated[Int, _option("--trials", help="Schedules to try.")] = None,
    seed: Annotated[Int, _option("--seed", help="Of the search and of every score.")] = None,
    lookahead: Annotated[
        Int, _option("--lookahead", help="Suggestions outstanding at once; part of the job.")
    ] = None,
    warm_start: Annotated[
        Text, _option("--warm-start", help="solver: begin with the solver's first answer.")
    ] = None,
    runtime: Annotated[Text, _option("--runtime", help="onnxruntime or torch.")] = None,
    batch: Annotated[
        Int, _option("--batch", help="Images per inference the latency is of.")
    ] = None,
    threads: Annotated[Int, _option("--threads", help="Threads of an inference.")] = None,
    table: Annotated[
        list[str] | None,
        _option(
            "--table",
            help="File or hash of a measured latency table; NAME=TABLE for each of several.",
        ),
    ] = None,
    calibration: Annotated[
        list[str] | None,
        _option(
            "--calibration",
            help="Hash of one of the table's (default: the newest); NAME=HASH for each of several.",
        ),
    ] = None,
    criterion: Annotated[Text, _option("--criterion", help=CRITERION_HELP)] = None,
    ignore: Annotated[
        list[str] | None,
        _option("--ignore", help="Pattern of layers to leave alone; may be given several times."),
    ] = None,
    divisor: Annotated[
        Int, _option("--divisor", help="Keep multiples of this many channels.")
    ] = None,
    min_keep: Annotated[
        Float, _option("--min-keep", help="Smallest keep ratio of a group.")
    ] = None,
    metric: Annotated[
        Text,
        _option("--metric", help="calibrated-loss, loss, accuracy or package.module:function."),
    ] = None,
    maximize: Annotated[
        bool | None, _option("--maximize/--minimize", help="Direction of the metric.")
    ] = None,
    steps: Annotated[Int, _option("--steps", help="Finetune steps of one trial.")] = None,
    batch_size: Annotated[Int, _option("--batch-size", help="Images per finetune step.")] = None,
    learning_rate: Annotated[
        Float, _option("--learning-rate", help="Of a trial's finetune.")
    ] = None,
    validation_images: Annotated[
        Int, _option("--validation-images", help="Scored per trial; 0 is all.")
    ] = None,
    teacher: Annotated[
        Float, _option("--teacher", help="Weight of distillation from the unpruned network.")
    ] = None,
    race_steps: Annotated[
        Int, _option("--race-steps", help="Finetune steps of each finalist.")
    ] = None,
    finetune_epochs: Annotated[
        Int, _option("--finetune-epochs", help="Of the chosen network, at the end.")
    ] = None,
    finetune_learning_rate: Annotated[
        Float, _option("--finetune-learning-rate", help="Of the final finetune.")
    ] = None,
    train_threads: Annotated[
        Int,
        _option("--train-threads", help="Threads of one training process; scores depend on it."),
    ] = None,
    train_device: Annotated[
        Text, _option("--train-device", help="cpu (default), cuda or cuda:N; not what is measured.")
    ] = None,
    workers: Annotated[
        Int,
        _option(
            "--workers", help="Processes that score trials (default: one per core; on a GPU one)."
        ),
    ] = None,
    executor: Annotated[Text, _option("--executor", help="local or ray.")] = None,
    address: Annotated[Text, _option("--address", help="Of a running Ray cluster.")] = None,
    ray_gpus: RayGpus = None,
    db: Annotated[
        Text, _option("--db", help="SQLite file or postgresql:// URL.", envvar="AUTOPRUNE_DB")
    ] = None,
    artifacts: Annotated[
        Text,
        _option(
            "--artifacts",
            help="Folder of the weights that trials leave.",
            envvar="AUTOPRUNE_ARTIFACTS",
        ),
    ] = None,
    unmeasured: Annotated[
        bool | None, _option("--unmeasured", help="Export as predicted: the device is elsewhere.")
    ] = None,
    priority: Annotated[
        Int, _option("--priority", help="With --queue: workers take higher ones first (default 0).")
    ] = None,
    fields: Annotated[
        list[str] | None,
        _option("--set", help="Any field of a job file, as in fidelity.momentum=0.5."),
    ] = None,
    out: Out = None,
    queue: Queue = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Find the channels to keep in every layer under a budget; without options, on the digits."""
    given = {key: value for key, value in locals().items() if value is not None}
    values = load_values(given.pop("job_file", None), _overrides(given))
    if values.get("from_job") is not None and "trials" not in values:
        if queue:
            raise InputError("--from without --trials answers at once: leave --queue out")
        answer(values, server, as_json)
        return
    if server is not None:
        _submit_to(server, values, as_json)
        return
    spec = _spec(values, job_file)
    try:
        with shown_progress(spec.trials) as progress:
            stores, job, plan = composition.submit(spec, progress, for_workers=queue)
    except KeyboardInterrupt:
        say("interrupted before the job was stored: there is nothing to resume, search again")
        sys.exit(130)
    if queue:
        print_queued(job, as_json)
        return
    shown = shown_progress(spec.trials, summary_follows=not as_json)
    with resumable(job, spec.db), shown as progress:
        composition.run(stores, job, plan, progress)
        folder = bundle_folder(spec, job)
        if not holds_bundle_of(folder, job):
            export_job(stores.trials, job, plan, folder)
    report(stores, job, spec, as_json)


def _submit_to(url: str, values: dict[str, Any], as_json: bool) -> None:
    """Submit a job to a server, whose database and artifacts count."""
    given = {name: value for name, value in values.items() if name not in ("db", "artifacts")}
    print_queued(RemoteServer.at(url).submit(given)["job"], as_json)


def _spec(values: dict[str, Any], job_file: Path | None) -> JobSpec:
    if values.get("from_job") is not None:
        return composition.inherited(values)
    return make_spec(values, source=str(job_file) if job_file else "the options")


def _overrides(given: dict[str, Any]) -> dict[str, Any]:
    """The command line's options as fields of the spec."""
    given.pop("as_json", None)
    given.pop("queue", None)
    given.pop("server", None)
    for field in ("table", "calibration"):
        if field in given:
            given[field] = parse_tables(given[field])
    fidelity = {
        field: given.pop(field)
        for field in ("steps", "batch_size", "learning_rate", "validation_images", "teacher")
        if field in given
    }
    metric = {"name": given.pop("metric"), "direction": None} if "metric" in given else {}
    if "maximize" in given:
        metric["direction"] = "maximize" if given.pop("maximize") else "minimize"
    if fidelity:
        given["fidelity"] = fidelity
    if metric:
        given["metric"] = metric
    for assignment in given.pop("fields", []):
        _assign(given, assignment)
    return given


def _assign(given: dict[str, Any], assignment: str) -> None:
    """Set one field of the job file, as in ``fidelity.momentum=0.5``."""
    path, equals, text = assignment.partition("=")
    *parents, field = path.strip().split(".")
    if not equals or not field:
        raise InputError(f"cannot read --set {assignment!r}: write it as fidelity.momentum=0.5")
    target = given
    for parent in parents:
        target = target.setdefault(parent, {})
        if not isinstance(target, dict):
            raise InputError(f"cannot read --set {assignment!r}: {parent!r} holds no fields")
    try:
        target[field] = yaml.safe_load(text)
    except yaml.YAMLError:
        raise InputError(f"cannot read the value of --set {assignment!r}") from None
