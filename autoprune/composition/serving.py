"""The HTTP service and its web page, built: what their routes are given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI

from autoprune.api.app import make_app
from autoprune.api.catalog import Catalog
from autoprune.api.event_hub import EventHub
from autoprune.api.service import Service, Submit
from autoprune.api.submissions import Submissions
from autoprune.composition.jobs import leave_to_workers, submit
from autoprune.composition.origin import Origin, inherit
from autoprune.composition.stores import Stores
from autoprune.dashboard.files import read_files
from autoprune.dashboard.routes import page_router
from autoprune.data.task_names import load_task
from autoprune.errors import DatabaseError, InputError, TableError
from autoprune.jobs.context import silent
from autoprune.jobs.tables import check_stored
from autoprune.models.registry import BUILT_IN, find_model
from autoprune.models.weights import check_weights_file
from autoprune.spec import make_spec, read_yaml
from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import default_artifacts, unconnected_engine
from autoprune.trials.readiness import Readiness
from autoprune.trials.records import Json, Request
from autoprune.trials.store import TrialStore
from autoprune.trials.table_store import TableStore
from autoprune.trials.token_store import TokenStore

WAITING = 4
"""Submissions that may wait for the one that is being checked."""


@dataclass(frozen=True)
class ServerOptions:
    """What the operator says.

    Args:
        catalog: file of the names that may be used beside the built-in ones.
        most_queued: jobs that may wait for a worker.
        public: the address is not this machine's own, so a token is always needed.
    """

    db: str
    artifacts: str | None = None
    catalog: Path | None = None
    most_queued: int = 100
    public: bool = False


def build_server(options: ServerOptions) -> FastAPI:
    """The application; the database may be out of reach, and is used as soon as it is there.

    Raises:
        InputError: the catalog, the address of the database or the artifact folder cannot be used;
            or the address is public and there is no token.
    """
    catalog = read_catalog(options.catalog)
    engine = unconnected_engine(options.db)
    folder = Path(options.artifacts) if options.artifacts else default_artifacts(engine)
    artifacts = ArtifactFolder(folder)
    artifacts.sweep()
    readiness, tokens = Readiness(engine), TokenStore(engine)
    if options.public:
        _check_tokens(readiness, tokens)
    stores = Stores(TrialStore(engine, artifacts), TableStore(engine))
    trials = stores.trials
    return make_app(
        Service(
            readiness=readiness,
            trials=trials,
            tables=stores.tables,
            tokens=tokens,
            catalog=catalog,
            submit=_submitter(options.db, str(folder.absolute()), stores),
            answer=lambda job, budget: Origin(stores, trials.job(job)).answer(budget, silent),
            requeue=lambda job: leave_to_workers(stores, trials.job(job), {}),
            submissions=Submissions(WAITING),
            events=EventHub(trials),
            most_queued=options.most_queued,
            always_tokens=options.public,
        ),
        [page_router(read_files())],
    )


def read_catalog(path: Path | None) -> Catalog:
    """The built-in names, with those of a file; its models are looked up, so that none is wrong.

    Raises:
        InputError: says what of the file cannot be used.
    """
    models = {f"autoprune:{name}": {"model": f"autoprune:{name}"} for name in BUILT_IN}
    values = {} if path is None else read_yaml(path, "catalog")
    if isinstance(values.get("models"), dict):
        values = {**values, "models": _absolute(values["models"])}
    catalog = Catalog.of(values, {"models": models, "data": {"digits": "digits"}})
    for entry in catalog.models.values():
        find_model(entry.model)
        if entry.weights is not None:
            check_weights_file(Path(entry.weights))
        if entry.task is not None:
            load_task(entry.task)
    return catalog


def _absolute(models: Json) -> Json:
    """Weights by absolute paths, as a job stores them."""
    found = {}
    for name, entry in models.items():
        weights = entry.get("weights") if isinstance(entry, dict) else None
        path = Path(weights).expanduser().absolute() if isinstance(weights, str) else None
        found[name] = entry if path is None else {**entry, "weights": str(path)}
    return found


def _check_tokens(readiness: Readiness, tokens: TokenStore) -> None:
    try:
        readiness.check()
    except DatabaseError:
        return  # without a database nobody is let in: there is no token to compare with
    if all(token.revoked is not None for token in tokens.tokens()):
        raise InputError(
            "an address that other machines reach needs a token: make one with 'autoprune token "
            "create NAME', or leave --host out"
        )


def _submitter(db: str, artifacts: str, stores: Stores) -> Submit:
    def submit_job(values: Json, request: Request | None) -> str:
        named = _by_whole_hash(values, stores.tables)
        given = {**named, "db": db, "artifacts": artifacts}
        origin = named.get("from_job")
        spec = inherit(stores.trials.job(origin), given) if origin else make_spec(given)
        check_stored(spec, stores.tables)
        _, job, _ = submit(
            spec, silent, for_workers=True, stores=stores, request=request, may_measure=False
        )
        return job

    return submit_job


def _by_whole_hash(values: Json, tables: TableStore) -> Json:
    """The fields with whole hashes of tables: the start of one might be the name of a file."""
    given = values.get("table")
    if given is None:
        return values
    if isinstance(given, dict):
        return {**values, "table": {name: _whole(hash, tables) for name, hash in given.items()}}
    return {**values, "table": _whole(given, tables)}


def _whole(hash: str, tables: TableStore) -> str:
    document = tables.table(hash)
    if document is None:
        raise TableError(
            f"no table {hash!r} on this server: /v1/tables lists what there is, and stores others"
        )
    return str(document["hash"])
