"""What `search` and `resume` share: a run that can be stopped, and what it ends with."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from autoprune import composition
from autoprune.cli.output import print_job, print_json, say
from autoprune.errors import JobStoppedError
from autoprune.jobs.packaging import bundle_files
from autoprune.jobs.summary import summarise_job
from autoprune.spec import JobSpec


@contextmanager
def resumable(job: str, db: str, words: Sequence[str] = ()) -> Iterator[None]:
    """Where what is inside is stopped, the last line says how to resume it.

    Args:
        words: options that the resume takes.
    """
    try:
        yield
    except (KeyboardInterrupt, JobStoppedError) as stopped:
        why = str(stopped) or "interrupted; what was scored is kept"
        command = shlex.join(["autoprune", "resume", job, "--db", db, *words])
        say(f"{why}. Resume with:\n{command}")
        sys.exit(130)


def report(stores: composition.Stores, job: str, spec: JobSpec, as_json: bool) -> None:
    """What a finished search prints."""
    shown = summarise_job(stores.trials, job)
    if as_json:
        print_json(shown)
    else:
        print_job(shown, bundle_files(bundle_folder(spec, job)))


def bundle_folder(spec: JobSpec, job: str) -> Path:
    """Where a job's bundle goes: ``--out``, or a folder of its own."""
    return Path(spec.out) if spec.out else Path("autoprune-out").absolute() / job
