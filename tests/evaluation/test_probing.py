"""A probe scores the masked network, whatever was recorded, asked before, or computed where."""

from __future__ import annotations

import copy
import multiprocessing
from pathlib import Path

import probe_networks
import pytest
import torch
from probe_networks import PROBE, loss_by_hand, masked_by_hand, network, prober, schedules, sliced
from tiny_network import FIDELITY
from torch import nn

from autoprune.errors import AutopruneError
from autoprune.evaluation import probing
from autoprune.evaluation.contract import EvaluationRequest, Metric, Probe
from autoprune.evaluation.evaluator import NetworkEvaluator
from autoprune.evaluation.probing import even_batch_size
from autoprune.pruning.criteria import Ranking

NETWORKS = ("autoprune:resnet20", "torchvision:mobilenet_v2", "reused")


@pytest.fixture(autouse=True)
def _several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "LARGEST_BATCH", 12)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_probe_is_the_masked_network_with_batch_statistics_behind_the_mask(name: str) -> None:
    scores = prober(name)
    for widths in schedules(name):
        masked, norms = masked_by_hand(name, widths)
        assert scores.score(widths, PROBE).loss == loss_by_hand(masked, norms, batch_size=12)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_probe_scores_what_the_sliced_network_does(name: str) -> None:
    scores, full = prober(name), prober(name).score(schedules(name)[-1], PROBE)
    for widths in schedules(name)[:-1]:
        _, norms = masked_by_hand(name, widths)
        expected = loss_by_hand(sliced(name, widths), norms, batch_size=12)
        found = scores.score(widths, PROBE).loss
        assert found == pytest.approx(expected, rel=1e-4)
        assert abs(found - full.loss) > 1e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_neither_memory_nor_order_changes_a_bit(name: str) -> None:
    asked = schedules(name)
    roomy, tight, none = (prober(name, memory) for memory in (2**30, 2**20, 0))
    forwards = [roomy.score(widths, PROBE) for widths in asked]
    assert [roomy.score(widths, PROBE) for widths in reversed(asked)] == forwards[::-1]
    assert [none.score(widths, PROBE) for widths in asked] == forwards
    assert [tight.score(widths, PROBE) for widths in asked] == forwards
    assert [prober(name).score(widths, PROBE) for widths in asked] == forwards


def test_another_process_and_another_order_give_the_same_bits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    asked = schedules("reused")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        backwards = pool.apply(probe_networks.exact_scores, ("reused", asked[::-1]))
    assert probe_networks.exact_scores("reused", asked) == backwards[::-1]


def test_layers_before_the_mask_are_not_computed_again() -> None:
    scores = prober("reused")
    late, early = (probe_networks.narrowed("reused", group) for group in ("hidden", "stem"))
    scores.score(late, PROBE)
    probe_networks.computed.clear()
    scores.score(late, PROBE)
    assert not probe_networks.computed
    scores.score(probe_networks.narrowed("reused", "wide"), PROBE)
    assert probe_networks.computed == {12: 2}  # the last convolution, over two batches
    probe_networks.computed.clear()
    scores.score(early, PROBE)
    assert probe_networks.computed == {11: 4, 24: 2, 12: 2}


def test_the_base_network_is_left_as_it_was() -> None:
    base = network("autoprune:resnet20")
    before = copy.deepcopy(base.state_dict())
    modes = [module.training for module in base.modules()]
    scores = prober("autoprune:resnet20")
    first = scores.score(schedules("autoprune:resnet20")[0], PROBE)
    scores.score(schedules("autoprune:resnet20")[1], PROBE)
    assert scores.score(schedules("autoprune:resnet20")[0], PROBE) == first
    assert all(torch.equal(value, before[name]) for name, value in base.state_dict().items())
    assert [module.training for module in base.modules()] == modes


def test_a_probe_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, asked = prober("reused"), schedules("reused")
    expected = [scores.score(widths, PROBE) for widths in asked]
    with monkeypatch.context() as broken:
        broken.setattr(nn.Linear, "forward", lambda *_: 1 / 0)
        for widths in asked[:-1]:
            with pytest.raises(ZeroDivisionError):
                scores.score(widths, PROBE)
    assert [scores.score(widths, PROBE) for widths in asked] == expected


def test_a_network_that_remembers_its_passes_forgets_those_of_other_probes() -> None:
    torch.manual_seed(7)
    space, data = probe_networks.space_of("reused"), probe_networks.dataset()
    base = probe_networks.Wearing().eval()
    asked = schedules("reused")

    def scores() -> probing.Prober:
        ranking = Ranking("l2", base.state_dict(), space)
        return probing.Prober(base, space, data, lambda: ranking, metric=Metric())

    busy = scores()
    found = [busy.score(widths, PROBE) for widths in asked]
    assert found == [scores().score(widths, PROBE) for widths in asked]
    assert len({score.loss for score in found}) == len(asked)


def test_only_the_first_images_of_each_class_are_scored() -> None:
    scores, widths = prober("reused"), schedules("reused")[0]
    found = {images: scores.score(widths, Probe(images)).loss for images in (10, 20, 0, 30, 99)}
    assert found[0] == found[30] == found[99]
    assert len({found[10], found[20], found[0]}) == 3


@pytest.mark.parametrize(
    ("images", "size"), [(1, 1), (12, 12), (13, 7), (24, 12), (25, 9), (100, 12)]
)
def test_batches_are_even(images: int, size: int) -> None:
    assert even_batch_size(images) == size


METRIC = """
import torch

def confidence(model, batches):
    total, count = 0.0, 0
    for turn in range(2):
        for images, labels in batches:
            for shown in (images, images.flip(3)):
                total += float(model(shown).softmax(1).gather(1, labels[:, None]).sum())
                count += len(labels)
    return total / count

def by_parts(model, batches):
    hidden = torch.relu(model.hidden(torch.ones(1, 12)))
    return float(sum(model.head(hidden).sum() for _ in batches))

def meddling(model, batches):
    score = float(model(next(iter(batches))[0]).sum())
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    model.head = torch.nn.Identity()
    return score

def observing(model, batches):
    seen = []
    model.stem.register_forward_hook(lambda module, given, output: seen.append(float(output.sum())))
    for images, _ in batches:
        model(images)
    return sum(seen)
"""


@pytest.mark.parametrize("metric", ["confidence", "by_parts", "meddling", "observing"])
def test_a_metric_of_the_users_own_scores_probes(tmp_path: Path, metric: str) -> None:
    (tmp_path / "metrics.py").write_text(METRIC)
    named = Metric(f"{tmp_path / 'metrics.py'}:{metric}", "maximize")
    asked = schedules("reused")
    expected = [prober("reused", 0, named).score(widths, PROBE) for widths in asked]
    scores = prober("reused", metric=named)
    assert [scores.score(widths, PROBE) for widths in asked] == expected
    plain = prober("reused")
    assert [found.loss for found in expected] == [plain.score(w, PROBE).loss for w in asked]
    assert all(found.score != found.loss for found in expected)


def test_a_metric_runs_the_model_it_would_have_without_recording(tmp_path: Path) -> None:
    (tmp_path / "metrics.py").write_text(METRIC)
    scores = prober("reused", metric=Metric(f"{tmp_path / 'metrics.py'}:confidence", "maximize"))
    widths = schedules("reused")[1]
    masked, norms = masked_by_hand("reused", widths)
    for norm in norms:
        masked.get_submodule(norm).train().momentum = 0.0
    module: dict[str, object] = {}
    exec(METRIC, module)
    batches = probe_networks.ScoringBatches(probe_networks.dataset(), "val", PROBE.images, 12)
    with torch.no_grad():
        expected = module["confidence"](masked, batches)  # type: ignore[operator]
    assert scores.score(widths, PROBE).score == pytest.approx(expected, rel=1e-5)


def evaluator(metric: Metric = Metric()) -> NetworkEvaluator:  # noqa: B008
    return NetworkEvaluator(
        network("reused"),
        probe_networks.space_of("reused"),
        probe_networks.dataset(),
        criterion="l2",
        metric=metric,
        seed=1,
    )


def test_an_evaluator_answers_probes_between_trials() -> None:
    asked = EvaluationRequest(schedules("reused")[0], PROBE)
    busy = evaluator()
    first = busy.evaluate(asked)
    busy.evaluate(EvaluationRequest(schedules("reused")[1], FIDELITY))
    again = busy.evaluate(asked)
    assert (first.score, first.loss, first.accuracy) == (again.score, again.loss, again.accuracy)
    assert first.score == prober("reused").score(asked.widths, PROBE).score
    assert first.weights is None
    assert first.error is None
    assert first.seconds > 0


def test_a_probe_without_a_finite_score_is_a_verdict(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text("def nan(model, batches):\n    return float('nan')\n")
    metric = Metric(f"{tmp_path / 'odd.py'}:nan", "minimize")
    failed = evaluator(metric).evaluate(EvaluationRequest(schedules("reused")[0], PROBE))
    assert failed.score is None
    assert "the score nan" in str(failed.error)


def test_a_width_that_is_none_is_a_verdict() -> None:
    failed = evaluator().evaluate(EvaluationRequest({"stem": 99}, PROBE))
    assert failed.score is None
    assert "group 'stem'" in str(failed.error)


def test_a_probe_takes_and_gives_no_weights() -> None:
    with pytest.raises(AutopruneError, match="weights to start from"):
        EvaluationRequest({"stem": 1}, PROBE, start=b"weights")
    with pytest.raises(AutopruneError, match="weights wanted back"):
        EvaluationRequest({"stem": 1}, PROBE, want_weights=True)


def test_a_probe_says_what_it_is_in_a_key() -> None:
    assert Probe(images=64).to_json() == {"probe": 1, "images": 64}
    assert Probe().images == 256
