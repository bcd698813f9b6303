"""`autoprune search --from JOB` without --trials: an answer at once, with nothing trained."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from autoprune import composition
from autoprune.cli.output import milliseconds, percent, print_json, print_layers, print_table, say
from autoprune.cli.progress import shown_progress
from autoprune.cli.remote import RemoteServer
from autoprune.errors import InputError
from autoprune.spec import make_spec, texts_of
from autoprune.trials.records import Json

_FIELDS = {"from_job", "budget", "db", "artifacts"}


def answer(values: Mapping[str, Any], server: str | None, as_json: bool) -> None:
    """Print the best schedule that a job's evaluations give for a budget.

    Args:
        values: fields of a spec, ``from_job`` among them.
        server: whose job it is, in place of a database's.

    Raises:
        InputError: a field is given that only a search can follow.
    """
    refine = _refining(values, server)
    more = sorted(set(values) - _FIELDS)
    if more:
        raise InputError(
            f"without --trials nothing is searched or exported, so {', '.join(more)} cannot be "
            f"followed: leave that out, or search, as in '{refine}'"
        )
    shown = _read(values) if server is None else _ask(values, server)
    if as_json:
        print_json(shown)
    else:
        _print(shown, refine)


def _read(values: Mapping[str, Any]) -> Json:
    where = make_spec({key: values[key] for key in ("db", "artifacts") if key in values})
    origin = composition.Origin.open(str(values["from_job"]), where.db, where.artifacts)
    with shown_progress(0) as progress:
        return origin.answer(values.get("budget"), progress)


def _ask(values: Mapping[str, Any], url: str) -> Json:
    server = RemoteServer.at(url)
    path = f"/v1/jobs/{server.job(str(values['from_job']))}/answer"
    return server.get(path, budget=texts_of(values.get("budget")))


def _refining(values: Mapping[str, Any], server: str | None) -> str:
    words = ["autoprune", "search", "--from", str(values["from_job"])]
    for bound in texts_of(values.get("budget")):
        words += ["--budget", bound]
    for field in ("db", "artifacts") if server is None else ():
        words += [f"--{field}", str(values[field])] if field in values else []
    words += [] if server is None else ["--server", server]
    return shlex.join([*words, "--trials", "20"])


def _print(shown: Json, refine: str) -> None:
    gap = shown["gap"]
    kind = "expected" if shown["is_prediction"] else "scored"
    rows = [
        ["where it comes from", shown["origin"]],
        ["learned from", f"{shown['evaluations']} evaluations"],
        [f"{shown['metric']['name']}, {kind}", f"{shown['expected_score']:.4f}"],
        *([["above the model's minimum", f"by {percent(gap)} at most"]] if gap is not None else []),
        ["predicted latency", milliseconds(shown["predicted_latency_s"])],
        ["of the unpruned network", percent(shown["latency_fraction"])],
        *(
            [f"predicted latency on {name}", milliseconds(seconds)]
            for name, seconds in shown.get("latencies_s", {}).items()
        ),
        ["MACs", f"{shown['macs']:,}"],
        ["parameters", f"{shown['params']:,}"],
    ]
    budget = ", ".join(shown["budget"])
    print_table(f"budget {budget} from job {shown['from']}", ["", "answer"], rows)
    print_layers(shown["layers"])
    if shown["is_prediction"]:
        say("the score is a prediction: nothing was trained or measured for this answer")
    say(f"Refine and export it with:\n{refine}")
