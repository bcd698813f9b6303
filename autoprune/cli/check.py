"""`autoprune check`: can this network be searched, and what is there to gain?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from autoprune import composition
from autoprune.cli.options import CRITERION_HELP, AsJson
from autoprune.cli.output import figure_words, milliseconds, percent, print_json, print_table, say
from autoprune.cli.progress import shown_progress
from autoprune.cli.version import versions
from autoprune.errors import AutopruneError
from autoprune.spec import load_values, make_spec
from autoprune.trials.records import Json
from latency_tables.errors import LatencyTableError

Text = str | None
Int = int | None


def _option(*names: str, help: str) -> Any:
    return typer.Option(*names, help=help, show_default=False)


def check(
    job_file: Annotated[Path | None, typer.Argument(metavar="[JOB.yaml]", help="Job file.")] = None,
    model: Annotated[Text, _option("--model", help="As for search.")] = None,
    weights: Annotated[Text, _option("--weights", help="Trained weights.")] = None,
    data: Annotated[Text, _option("--data", help="As for search.")] = None,
    task: Annotated[Text, _option("--task", help="As for search.")] = None,
    runtime: Annotated[Text, _option("--runtime", help="onnxruntime or torch.")] = None,
    batch: Annotated[Int, _option("--batch", help="Images per inference.")] = None,
    threads: Annotated[Int, _option("--threads", help="Threads of an inference.")] = None,
    ignore: Annotated[
        list[str] | None, _option("--ignore", help="Pattern of layers to leave alone; repeatable.")
    ] = None,
    divisor: Annotated[Int, _option("--divisor", help="Widths are multiples of it.")] = None,
    min_keep: Annotated[
        float | None, _option("--min-keep", help="Smallest keep ratio of a group.")
    ] = None,
    criterion: Annotated[Text, _option("--criterion", help=CRITERION_HELP)] = None,
    train_device: Annotated[
        Text, _option("--train-device", help="Of the training step: cpu, cuda or cuda:N.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell in a minute what a search would find or stop at: groups, data, a step, latencies."""
    given = {key: value for key, value in locals().items() if value is not None}
    given.pop("as_json")
    values = load_values(given.pop("job_file", None), given)
    told = {"versions": versions()}
    try:
        with shown_progress(0) as progress:
            found = composition.check(make_spec(values, source=str(job_file)), progress)
    except (AutopruneError, LatencyTableError) as error:
        if as_json:
            print_json({**told, "ok": False, "error": str(error), "groups": [], "left_out": []})
        raise
    if as_json:
        print_json({**told, **found})
    else:
        _print(found)


def _print(found: Json) -> None:
    data = found["data"]
    images = ", ".join(f"{count} for {split}" for split, count in data["images"].items())
    kind = f"targets: {data['targets']}" if "task" in data else f"{data['classes']} classes"
    say(f"data {data['name']}: {images}; {data['input_shape']}, {kind}")
    print_table(
        f"{found['model']}: what can be pruned",
        ["group", "units", "legal widths", "layers"],
        [[g["name"], g["units"], _widths(g["choices"]), len(g["layers"])] for g in found["groups"]],
    )
    for left in found["left_out"]:
        say(f"left whole: {left['group']}: {left['reason']}")
    base_s, floor_s = found["base_latency_s"], found["floor_latency_s"]
    say(
        f"latency {milliseconds(base_s)} unpruned, {milliseconds(floor_s)} at the fastest of the "
        f"narrow networks tried: {percent(found['prunable_latency_share'])} can go"
    )
    step = found["training_step"]
    say(f"one training step and a score of the narrowest network: {step['seconds']:.1f} s, ok")
    base = found["base"]
    beside = "" if base.get("figure", {}).get("name") == "loss" else f", {figure_words(base)}"
    say(f"unpruned: loss {base['loss']:.3f}{beside}")


def _widths(choices: list[int]) -> str:
    few = choices if len(choices) < 6 else [*choices[:3], "...", *choices[-2:]]
    return " ".join(map(str, few))
