"""The service under many clients: `python -m benchmarks.service_load`.

A server runs as a process of its own. A driver commits trials of one job to its database as a
search does. Half of the clients listen to that job's events, the others read it, its trials, its
front and the list of jobs again and again, as an open page does. Then a page of a job of 100,000
trials is read.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from sqlalchemy import insert
from sqlalchemy.orm import Session

from autoprune.api.pages import page
from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import connect
from autoprune.trials.models import Trial
from autoprune.trials.records import Json, Lease, NewTrial, TrialResult
from autoprune.trials.store import TrialStore

GROUPS = 30
MANY = 100_000


def main() -> None:
    """Run the load and print what it found."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        db = options.db or str(Path(folder) / "jobs.db")
        store = TrialStore(connect(db), ArtifactFolder(Path(folder) / "artifacts"))
        job = _create(store, 10_000)
        server, url = _serve(db, folder)
        ended = threading.Event()
        driver = threading.Thread(target=_drive, args=(store, job, options.pace, ended))
        gc.collect()
        gc.freeze()  # pauses of the clients are not the server's
        try:
            driver.start()
            load = Load(url, job)
            asyncio.run(load.run(options.clients, options.seconds, options.think))
            ended.set()
            driver.join()
            load.report(len(store.events(job)))
            _read_many(store, url, options.trials)
        finally:
            ended.set()
            server.terminate()
            server.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--think", type=float, default=2.0, help="seconds between two reads")
    parser.add_argument("--pace", type=float, default=4.0, help="trials a second")
    parser.add_argument("--trials", type=int, default=MANY, help="of the long job")
    parser.add_argument("--db", help="a postgresql:// URL; a SQLite file unless given")
    return parser.parse_args()


def _create(store: TrialStore, trials: int) -> str:
    groups = [{"name": f"layer{n}", "units": 64, "choices": [8, 64]} for n in range(GROUPS)]
    layers = {}
    for group in groups:
        side = {"before": 64, "constant": 0, "units": {group["name"]: 1}}
        layers[group["name"]] = {"type": "conv", "in": side, "out": side}
    numbers = {"score": 0.1, "accuracy": 0.95, "macs": 10**7, "params": 10**5}
    return store.create_job(
        {
            "groups": groups,
            "searcher": "solver",
            "seed": 0,
            "trials": trials,
            "limits": {"latency": 0.001},
            "metric": {"name": "loss", "direction": "minimize"},
        },
        "0" * 64,
        {"budget": ["50%"], "spec": {"model": "m", "weights": None, "data": "d"}},
        "environment",
        {**numbers, "measured_latency_s": 0.002, "predicted_latency_s": 0.002, "layers": layers},
    )


def _trial(index: int) -> NewTrial:
    draw = random.Random(index)
    widths = tuple(draw.choice((8, 64)) for _ in range(GROUPS))
    predicted = {"latency_s": draw.uniform(5e-4, 1e-3), "macs": 10**6, "params": 10**4}
    return NewTrial(index, "candidate", widths, None, predicted, f"key {index}")


def _drive(store: TrialStore, job: str, pace: float, ended: threading.Event) -> None:
    """Ask, finish and tell, each as one transaction, as the loop of a search does."""
    lease = store.acquire(job, "driver", 3600.0)
    index = 0
    while not ended.wait(1 / pace):
        store.commit(lease, asked=[_trial(index)])
        scored = TrialResult(random.random(), 0.5, 0.9, 1.0)
        store.finish_trial(lease, index, scored)
        store.commit(lease, told=[index], events=[("told", {"trial": index})])
        index += 1
    store.commit(lease, state="cancelled")
    store.release(lease)


def _serve(db: str, folder: str) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "autoprune.cli.main", "serve", "--port", "0", "--db", db]
    command += ["--artifacts", str(Path(folder) / "artifacts")]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    url = next(line.split()[-1] for line in server.stderr if line.startswith("listening"))
    threading.Thread(target=server.stderr.read, daemon=True).start()
    return server, url


class Load:
    """Clients of one server, and what they saw."""

    def __init__(self, url: str, job: str) -> None:
        self._host, self._port = urlsplit(url).hostname, urlsplit(url).port
        self._job = job
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._errors: list[str] = []
        self._streamed: list[int] = []

    async def run(self, clients: int, seconds: float, think: float) -> None:
        """Half of the clients listen, half read, until the time is over."""
        end = time.monotonic() + seconds
        listening = [self._listen(end, think) for _ in range(clients // 2)]
        reading = [self._read(end, think) for _ in range(clients - clients // 2)]
        await asyncio.gather(*listening, *reading)

    async def _read(self, end: float, think: float) -> None:
        await asyncio.sleep(random.random() * think)
        job = f"/v1/jobs/{self._job}"
        paths = {
            "job": job,
            "trials": f"{job}/trials?limit=100",
            "front": f"{job}/front",
            "jobs": "/v1/jobs",
        }
        while time.monotonic() < end:
            name = random.choice(list(paths))
            begun = time.monotonic()
            try:
                status = await self._get(paths[name])
            except OSError as error:
                self._errors.append(repr(error))
                continue
            self._seconds[name].append(time.monotonic() - begun)
            if status != 200:
                self._errors.append(f"{name}: {status}")
            await asyncio.sleep(think * random.uniform(0.5, 1.5))

    async def _get(self, path: str) -> int:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(_request(path, "Connection: close\r\n"))
            answer = await reader.read(-1)
        finally:
            writer.close()
        return int(answer.split(b" ", 2)[1])

    async def _listen(self, end: float, think: float) -> None:
        seen = 0
        await asyncio.sleep(random.random() * think)
        try:
            reader, writer = await asyncio.open_connection(self._host, self._port, limit=2**20)
            writer.write(_request(f"/v1/jobs/{self._job}/events"))
            while time.monotonic() < end:
                line = await asyncio.wait_for(reader.readline(), max(0.01, end - time.monotonic()))
                if not line:
                    self._errors.append("a stream ended")
                    break
                if line.startswith(b"id: "):
                    if int(line[4:]) != seen + 1:
                        self._errors.append(f"event {int(line[4:])} after {seen}")
                    seen = int(line[4:])
            writer.close()
        except TimeoutError:
            pass  # the time is over
        except OSError as error:
            self._errors.append(repr(error))
        self._streamed.append(seen)

    def report(self, events: int) -> None:
        """Requests, errors, and the time that answers took."""
        every = [each for found in self._seconds.values() for each in found]
        print("| read | requests | p50 (ms) | p99 (ms) |\n| --- | --- | --- | --- |")
        for name, found in [*sorted(self._seconds.items()), ("all", every)]:
            half, most = np.quantile(found, [0.5, 0.99]) * 1e3
            print(f"| {name} | {len(found)} | {half:.0f} | {most:.0f} |")
        print(f"errors: {len(self._errors)} {self._errors[:3]}")
        print(
            f"streams: {len(self._streamed)}, each in order and without a gap up to event "
            f"{min(self._streamed)} to {max(self._streamed)} of {events}"
        )


def _request(path: str, more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode()


def _read_many(store: TrialStore, url: str, trials: int) -> None:
    """Pages of a long job, from its beginning, its middle and its end."""
    job = _create(store, trials)
    lease = store.acquire(job, "driver", 3600.0)
    _fill(store, lease, trials)
    load = Load(url, job)
    spent: dict[str, list[float]] = defaultdict(list)
    for name, place in (("first", 0), ("middle", trials // 2), ("last", trials - 100)):
        cursor = _cursor(job, place)
        for _ in range(20):
            begun = time.monotonic()
            status = asyncio.run(load._get(f"/v1/jobs/{job}/trials?limit=100&cursor={cursor}"))
            spent[name].append(time.monotonic() - begun)
            assert status == 200
    shown = ", ".join(f"{name} {np.median(found) * 1e3:.0f} ms" for name, found in spent.items())
    print(f"page of 100 of {trials:,} trials: {shown}")


def _cursor(job: str, index: int) -> str:
    return str(page([{}], 1, f"trials {job}", [index])["next"])


def _fill(store: TrialStore, lease: Lease, trials: int) -> None:
    values: Json = {"job_id": lease.job, "state": "told", "score": 0.5, "loss": 0.5}
    values |= {"accuracy": 0.9, "seconds": 1.0, "reused": False, "purpose": "candidate"}
    with Session(store._database.engine) as session, session.begin():
        for first in range(0, trials, 5000):
            rows = []
            for index in range(first, min(first + 5000, trials)):
                trial = _trial(index)
                rows.append(
                    {
                        **values,
                        "index": index,
                        "widths": list(trial.widths),
                        "predicted": trial.predicted,
                        "evaluation_key": trial.evaluation_key,
                    }
                )
            session.execute(insert(Trial), rows)


if __name__ == "__main__":
    main()
