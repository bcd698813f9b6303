"""A real Ray cluster of two nodes on this machine: nodes that die, differ, or are too small."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cheap_job
import pytest
from cheap_job import CheapEvaluator, CheapRecipe
from test_executors import request_of, work_until_all_are_there

from autoprune.errors import AutopruneError, EnvironmentMismatchError, InputError
from autoprune.evaluation.environment import environment_fingerprint
from autoprune.jobs.executors.ray_actors import RayExecutor

TRIALS = 60


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """The head, which the driver runs on."""
    from ray.cluster_utils import Cluster

    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))  # nodes find this module
    made = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 1,
            "num_gpus": 0,
            "object_store_memory": 80_000_000,
            # A dead node is noticed within seconds instead of half a minute.
            "_system_config": {
                "health_check_initial_delay_ms": 0,
                "health_check_period_ms": 500,
                "health_check_failure_threshold": 4,
            },
        },
    )
    yield made
    made.shutdown()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture
def add_node(cluster: Any) -> Iterator[Callable[..., Any]]:
    added: list[Any] = []

    def add(**more: Any) -> Any:
        options = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80_000_000, **more}
        added.append(cluster.add_node(**options))
        return added[-1]

    yield add
    for node in added:
        if node in cluster.worker_nodes:
            cluster.remove_node(node, allow_graceful=False)


@pytest.fixture
def connect(cluster: Any) -> Iterator[Callable[..., RayExecutor]]:
    opened: list[RayExecutor] = []

    def make(recipe: Any, workers: int, **more: Any) -> RayExecutor:
        opened.append(RayExecutor(recipe, workers, address=cluster.address, **more))
        return opened[-1]

    yield make
    for executor in opened:
        executor.close()


def test_a_node_that_dies_in_the_middle_leaves_the_digest(
    tmp_path: Path,
    cluster: Any,
    add_node: Callable[..., Any],
    connect: Callable[..., RayExecutor],
) -> None:
    """Its evaluations are repeated by the node that is left, which has no room for more actors."""
    alone = cheap_job.open_store(tmp_path)
    expected = cheap_job.drive(
        tmp_path, cheap_job.create(alone, "legr", TRIALS), recipe=CheapRecipe(0.0)
    )
    folder = tmp_path / "cluster"
    folder.mkdir()
    job = cheap_job.create(cheap_job.open_store(folder), "legr", TRIALS)
    node, seen = add_node(), 0
    killer: list[threading.Thread] = []

    def kill_in_the_middle(kind: str, payload: dict[str, Any]) -> None:
        nonlocal seen
        seen += kind == "trial"
        if seen == TRIALS // 3 and not killer:
            killer.append(
                threading.Thread(
                    target=cluster.remove_node, args=(node,), kwargs={"allow_graceful": False}
                )
            )
            killer[0].start()

    executor = connect(CheapRecipe(0.1), 2)
    found = cheap_job.drive(folder, job, executor=executor, progress=kill_in_the_middle)
    killer[0].join()
    assert found == expected


def test_a_node_that_differs_is_refused_by_its_name(
    add_node: Callable[..., Any], connect: Callable[..., RayExecutor]
) -> None:
    """Its scores would not be those of the others to the bit."""
    other = add_node(env_vars={"ATEN_CPU_CAPABILITY": "default"})
    executor = connect(ExactRecipe(environment_fingerprint(1)), 2)
    with pytest.raises(AutopruneError, match=f"id {other.node_id[:8]}\\) is refused: .*DEFAULT"):
        work_until_all_are_there(executor)


def test_workers_share_a_gpu(
    add_node: Callable[..., Any], connect: Callable[..., RayExecutor]
) -> None:
    add_node(num_cpus=2, num_gpus=1)
    executor = connect(CheapRecipe(0.0), 2, gpus=0.5)
    work_until_all_are_there(executor)
    deadline = time.monotonic() + 30
    while executor._ray.available_resources().get("GPU", 0.0) > 0.0:
        assert time.monotonic() < deadline, "each worker has its half"
        time.sleep(0.1)


def test_a_worker_that_no_node_can_hold_is_refused(
    cluster: Any, connect: Callable[..., RayExecutor]
) -> None:
    for options in ({"gpus": 7.0}, {"threads": 64}):
        with pytest.raises(InputError, match="no node of Ray can hold a worker"):
            connect(CheapRecipe(0.0), 1, **options).submit("a", request_of(2))


class ExactRecipe:
    """Refuses another environment, as the recipe of a network does."""

    def __init__(self, environment: str) -> None:
        self._environment = environment

    def __call__(self) -> CheapEvaluator:
        here = environment_fingerprint(1)
        if here != self._environment:
            raise EnvironmentMismatchError(f"this worker's environment is {here!r}")
        return CheapEvaluator(0.0)
