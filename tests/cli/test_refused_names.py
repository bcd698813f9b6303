"""Names and numbers that cannot be used are refused before anything slow, listing what there is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_program import NETWORK, TINY

Refused = Callable[..., str]

UNKNOWN = {
    "model": (("--model", "autoprune:resnet19"), ("autoprune:resnet19", "autoprune:resnet20")),
    "model without a colon": (("--model", "resnet20"), ("'resnet20'", "torchvision:NAME")),
    "torchvision model": (("--model", "torchvision:resnet19"), ("resnet19", "resnet18")),
    "model file": (("--model", "absent.py:network"), ("absent.py",)),
    "factory": (("--model", f"{TINY}:absent"), ("'absent'", "network")),
    "module": (("--model", "absent_module:network"), ("absent_module",)),
    "data": (("--data", "digitz"), ("digitz", "imagefolder:DIR")),
    "searcher": (("--searcher", "annealing"), ("annealing", "amc", "legr", "netadapt", "tpe")),
    "runtime": (("--runtime", "tensorrt"), ("tensorrt", "onnxruntime", "torch")),
    "criterion": (("--criterion", "luck"), ("luck", "l1", "l2")),
    "metric": (("--metric", "f1"), ("f1", "loss", "accuracy")),
    "metric function": (("--metric", f"{TINY}:absent", "--maximize"), ("absent",)),
    "metric that is no function": (("--metric", f"{TINY}:WIDTH", "--maximize"), ("function",)),
    "metric without a direction": (("--metric", f"{TINY}:network"), ("--maximize",)),
    "executor": (("--executor", "slurm"), ("executor", "'local' or 'ray'", "slurm")),
    "device": (("--train-device", "gpu"), ("train_device", "cpu, cuda, or cuda:N", "'gpu'")),
    "device that is not here": (
        ("--train-device", "cuda:64"),
        ("'cuda:64' is not here", "GPU" if torch.version.cuda else "without CUDA"),
    ),
    "table": (("--table", "absent.json"), ("absent.json", "latency measure")),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_an_unknown_name_is_refused_with_what_there_is(what: str, refused: Refused) -> None:
    options, says = UNKNOWN[what]
    refused(2, says, "search", *NETWORK, *options)


def test_a_check_refuses_a_device_that_is_not_here(refused: Refused) -> None:
    refused(2, ("--train-device cpu",), "check", *NETWORK, "--train-device", "cuda:64")


@pytest.mark.parametrize("what", ["model", "model file", "searcher", "criterion", "runtime"])
def test_it_is_refused_before_the_data_is_read(
    what: str, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    monkeypatch.setattr("autoprune.jobs.subject.load_data", lambda *given, **_: read.append(given))
    options, says = UNKNOWN[what]
    refused(2, says, "search", *NETWORK, *options)
    assert read == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--workers", "0"),
        ("--trials", "0"),
        ("--seed", "-1"),
        ("--batch", "0"),
        ("--lookahead", "0"),
        ("--divisor", "0"),
        ("--min-keep", "0"),
        ("--min-keep", "1.5"),
        ("--learning-rate", "-1"),
        ("--learning-rate", "nan"),
        ("--learning-rate", "inf"),
        ("--batch-size", "1"),
        ("--teacher", "2"),
        ("--finetune-epochs", "-1"),
    ],
)
def test_a_number_out_of_range_is_refused(option: str, value: str, refused: Refused) -> None:
    refused(2, (option[2:].replace("-", "_"), value), "search", *NETWORK, option, value)


def test_what_is_no_number_is_refused(refused: Refused) -> None:
    refused(2, ("--trials", "integer"), "search", "--trials", "many")


def test_an_unknown_option_is_refused(refused: Refused) -> None:
    refused(2, ("--colour",), "search", "--colour", "red")


@pytest.mark.parametrize("command", ["measure", "check"])
def test_latency_commands_refuse_unknown_names(command: str, refused: Refused) -> None:
    network = ("--model", f"{TINY}:network", "--input", "1x8x8")
    refused(2, ("tensorrt", "torch"), "latency", command, *network, "--runtime", "tensorrt")
    refused(2, ("resnet19", "resnet20"), "latency", command, "--model", "autoprune:resnet19")
    refused(2, ("1x8xq", "3x224x224"), "latency", command, *network, "--input", "1x8xq")
    refused(2, ("--input",), "latency", command, "--model", f"{TINY}:network")


def test_a_table_file_in_a_missing_folder_is_refused_before_measuring(refused: Refused) -> None:
    network = ("--model", f"{TINY}:network", "--input", "1x8x8")
    refused(
        2, ("absent/t.json", "folder"), "latency", "measure", *network, "--out", "absent/t.json"
    )


def test_options_that_leave_nothing_to_search_are_refused_before_training(
    refused: Refused,
) -> None:
    refused(2, ("nothing", "--divisor", "--min-keep"), "search", "--min-keep", "1")


def test_the_default_search_is_refused_as_early(refused: Refused, tmp_path: Path) -> None:
    refused(2, ("annealing",), "search", "--searcher", "annealing", "--db", tmp_path / "a" / "b.db")
