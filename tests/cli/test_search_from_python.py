"""`autoprune.search` and `autoprune.load` on objects in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_net import network, split_loaders
from tiny_program import run_program

import autoprune
from autoprune.errors import BudgetInfeasibleError, InputError, ModelError

OPTIONS: dict[str, Any] = {
    "divisor": 16,
    "min_keep": 0.25,
    "trials": 2,
    "race_steps": 1,
    "finetune_epochs": 1,
    "fidelity": {"steps": 1, "batch_size": 16},
    "searcher": "random",
}
IMAGE = torch.zeros(1, 1, 8, 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("python")


@pytest.fixture(scope="module")
def search(folder: Path, table: Path) -> Callable[..., autoprune.SearchResult]:
    def run(model: torch.nn.Module, **more: Any) -> autoprune.SearchResult:
        given = {**OPTIONS, "db": str(folder / "jobs.db"), "table": str(table), **more}
        return autoprune.search(model, IMAGE, **split_loaders(), **given)

    return run


@pytest.fixture(scope="module")
def result(search: Callable[..., autoprune.SearchResult]) -> autoprune.SearchResult:
    return search(network(), budget="65%")


def test_the_result_has_a_schedule_under_the_budget(result: autoprune.SearchResult) -> None:
    latency = result.schedule.latency
    assert latency.status == "measured"
    assert latency.measured_s <= 0.65 * latency.base_s
    assert result.summary["state"] == "finished"
    assert result.summary["trials"] == 2


def test_a_criterion_that_needs_gradients_ranks_from_the_check_to_the_measurement(
    search: Callable[..., autoprune.SearchResult],
) -> None:
    result = search(network(), budget="65%", criterion="taylor")
    assert result.summary["state"] == "finished"
    assert result.schedule.latency.status == "measured"


def test_another_budget_begins_with_the_jobs_evaluations(
    result: autoprune.SearchResult, search: Callable[..., autoprune.SearchResult]
) -> None:
    options = {"budget": "50%", "from_job": result.job, "searcher": "solver"}
    tighter = search(network(), searcher_options={"probes": 0}, **options)
    assert tighter.summary["trials"] == 2
    latency = tighter.schedule.latency
    assert latency.predicted_s <= 0.5 * latency.base_s
    told = [trial.widths for trial in result._stores.trials.trials(result.job)]
    assert [widths for widths, _ in tighter._plan.start.known] == told


def test_the_solver_is_told_how_much_longer_the_chosen_network_is_trained(
    result: autoprune.SearchResult, search: Callable[..., autoprune.SearchResult]
) -> None:
    def capacity(found: autoprune.SearchResult) -> float | None:
        return found._plan.what()["searcher_options"].get("capacity")

    options = {"budget": "65%", "searcher": "solver", "searcher_options": {"probes": 0}}
    assert capacity(result) is None  # random search counts none
    short, long = (search(network(), finetune_epochs=epochs, **options) for epochs in (0, 2))
    assert capacity(short) == 0.0  # one step, as in a trial
    assert capacity(long) > 0.0
    own = {**options, "searcher_options": {"probes": 0, "capacity": 0.5}}
    assert capacity(search(network(), **own)) == 0.5


def test_the_program_cannot_go_on_from_a_job_with_objects_in_memory(
    result: autoprune.SearchResult, folder: Path
) -> None:
    words = ("search", "--from", result.job, "--budget", "50%", "--db", str(folder / "jobs.db"))
    for more in ((), ("--trials", "2")):
        said = run_program(*words, *more, folder=folder)
        assert said.code == 2
        assert f"from_job={result.job!r}" in said.err


def test_the_pruned_model_has_the_schedules_channels(result: autoprune.SearchResult) -> None:
    for name, layer in result.schedule.layers.items():
        weight = result.model.get_submodule(name).weight
        assert (weight.shape[1], weight.shape[0]) == (layer.in_channels[1], layer.out_channels[1])
    assert result.model(IMAGE).shape == (1, 10)


def test_a_bundle_loads_as_the_same_network(result: autoprune.SearchResult, tmp_path: Path) -> None:
    folder = result.export(tmp_path / "bundle")
    loaded = autoprune.load(folder, model=network)
    images = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(loaded(images), result.model(images))


def test_the_given_model_stays_as_it_is(search: Callable[..., autoprune.SearchResult]) -> None:
    model = network().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    search(model, budget=["65%", "macs=80%"], trials=1)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_model_that_cannot_be_searched_is_refused_before_it_is_copied(
    search: Callable[..., autoprune.SearchResult],
) -> None:
    with pytest.raises(ModelError, match=r"'first.0.weight' is torch.float64.*\.float\(\)"):
        search(network().double(), budget="65%")
    model = network()
    torch.nn.utils.weight_norm(model.get_submodule("second.0"))
    with pytest.raises(ModelError, match=r"'second.0' .*parametrizations.weight_norm"):
        search(model, budget="65%")


def test_several_bounds_all_hold(
    search: Callable[..., autoprune.SearchResult],
) -> None:
    costs = search(network(), budget=["65%", "macs=40%"]).schedule.costs
    assert costs.macs[1] <= 0.4 * costs.macs[0]


def test_a_finished_job_is_resumed_without_a_new_trial(
    search: Callable[..., autoprune.SearchResult], result: autoprune.SearchResult
) -> None:
    again = search(network(), budget="65%", resume=result.job)
    assert again.job == result.job
    assert again.summary == result.summary


def test_a_job_is_resumed_by_its_id_with_the_same_model_and_loaders_alone(
    result: autoprune.SearchResult, folder: Path
) -> None:
    db = str(folder / "jobs.db")
    again = autoprune.search(network(), IMAGE, **split_loaders(), db=db, resume=result.job)
    assert again.summary["digest"] == result.summary["digest"]
    assert again.schedule == result.schedule


def test_a_result_is_printed_as_the_id_of_its_job(result: autoprune.SearchResult) -> None:
    assert repr(result) == f"SearchResult(job={result.job!r})"


def test_a_finished_job_is_finetuned_again_where_that_is_said(
    search: Callable[..., autoprune.SearchResult], tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    first = search(network(), budget="65%", seed=1, out=out)
    before = [tensor.clone() for tensor in first.model.state_dict().values()]
    again = search(network(), budget="65%", seed=1, out=out, resume=first.job, finetune_epochs=3)
    assert again.summary["digest"] == first.summary["digest"]
    assert again.summary["final"]["finetune_epochs"] == 3
    after = again.model.state_dict().values()
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    loaded = autoprune.load(out, network()).state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(after, loaded, strict=True))


def test_another_model_cannot_resume_the_job(
    search: Callable[..., autoprune.SearchResult], result: autoprune.SearchResult
) -> None:
    model = network()
    with torch.no_grad():
        model.classifier.bias += 1.0
    with pytest.raises(InputError, match="weights changed"):
        search(model, resume=result.job)


def test_the_folder_of_a_bundle_may_be_given(
    search: Callable[..., autoprune.SearchResult], tmp_path: Path
) -> None:
    search(network(), budget="65%", trials=1, out=str(tmp_path / "bundle"))
    assert (tmp_path / "bundle" / "schedule.json").exists()


def test_mistakes_raise_before_anything_is_stored(
    search: Callable[..., autoprune.SearchResult], tmp_path: Path
) -> None:
    db = tmp_path / "none.db"
    with pytest.raises(BudgetInfeasibleError, match="under the floor"):
        search(network(), budget="1%", db=str(db))
    with pytest.raises(InputError, match=r"unknown searcher 'luck'.*legr"):
        search(network(), searcher="luck", db=str(db))
    with pytest.raises(InputError, match="unknown field 'colour'"):
        search(network(), colour="red", db=str(db))
    assert list(tmp_path.iterdir()) == []
