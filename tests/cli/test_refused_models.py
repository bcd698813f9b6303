"""Models that cannot be searched, with the layer that is to blame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Refused = Callable[..., str]
Tiny = tuple[str, ...]
MODELS = Path(__file__).with_name("odd_models.py")


def test_a_model_that_fails_on_the_images_names_its_layer(refused: Refused, tiny: Tiny) -> None:
    refused(
        2,
        ("second.0", "channels", "(1, 1, 8, 8)"),
        *("search", *tiny, "--model", f"{MODELS}:broken_inside"),
    )


def test_a_model_that_leaves_its_tensors_names_the_line(refused: Refused, tiny: Tiny) -> None:
    refused(
        2,
        ("Detached cannot be exported", "odd_models.py:"),
        "search",
        *tiny,
        "--model",
        f"{MODELS}:detached",
    )


def test_a_model_without_class_scores_is_refused(refused: Refused, tiny: Tiny) -> None:
    refused(
        2, ("class scores", "(1, 10)", "tuple"), "search", *tiny, "--model", f"{MODELS}:two_outputs"
    )


def test_a_factory_that_fails_is_named(refused: Refused, tiny: Tiny) -> None:
    refused(2, ("failing", "RuntimeError"), "search", *tiny, "--model", f"{MODELS}:failing")
    refused(2, ("no_module", "torch.nn.Module"), "search", *tiny, "--model", f"{MODELS}:no_module")


def test_a_pattern_that_matches_no_layer_is_refused(refused: Refused, tiny: Tiny) -> None:
    refused(2, ("fourth.*", "second.0"), "search", *tiny, "--ignore", "fourth.*")


def test_a_criterion_that_cannot_rank_the_network_is_refused(refused: Refused, tiny: Tiny) -> None:
    refused(
        2,
        ("bn_scale", "no batch norm", "l2"),
        *("search", *tiny, "--model", f"{MODELS}:without_batch_norm", "--criterion", "bn_scale"),
    )


def test_a_metric_that_fails_on_the_unpruned_network_is_refused(
    refused: Refused, tiny: Tiny
) -> None:
    metric = ("--metric", f"{MODELS}:failing_metric", "--maximize")
    refused(2, ("failing_metric", "ZeroDivisionError"), "search", *tiny, *metric)


def test_what_a_model_prints_stays_off_stdout(refused: Refused, tiny: Tiny) -> None:
    said = refused(3, ("floor",), "search", *tiny, "--model", f"{MODELS}:talking", "--budget", "1%")
    assert "hello from the model" in said
