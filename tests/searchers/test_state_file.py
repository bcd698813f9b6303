"""A search behind Ray Tune's interface goes on from its file; other files are refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tune_cases import adapted, loss_of

from searchers import MisuseError


@pytest.mark.parametrize("name", ["amc", "legr", "netadapt", "random", "tpe"])
def test_a_saved_search_goes_on_with_the_same_proposals(name: str, tmp_path: Path) -> None:
    """With trials pending, which are told to whichever goes on."""
    first, file = adapted(name), tmp_path / "state"
    open_ids = []
    for number in range(12):
        if isinstance(config := first.suggest(f"t{number}"), dict):
            open_ids.append((f"t{number}", config))
        if len(open_ids) > 2:
            tune_id, config = open_ids.pop(0)
            first.on_trial_complete(tune_id, {"loss": loss_of(config)})
    first.save(str(file))
    second = adapted(name)
    second.restore(str(file))
    asked: list[list[object]] = [[], []]
    for algorithm, seen in zip((first, second), asked, strict=True):
        for tune_id, config in open_ids:
            algorithm.on_trial_complete(tune_id, {"loss": loss_of(config)})
        for number in range(12, 24):
            seen.append(config := algorithm.suggest(f"t{number}"))
            if isinstance(config, dict):
                algorithm.on_trial_complete(f"t{number}", {"loss": loss_of(config)})
    assert open_ids
    assert asked[0] == asked[1]
    assert any(isinstance(config, dict) for config in asked[0])


def test_a_file_is_replaced_whole_and_holds_no_pickle(tmp_path: Path) -> None:
    algorithm, file = adapted("legr"), tmp_path / "state"
    for number in range(2):
        algorithm.suggest(f"t{number}")
        algorithm.save(str(file))
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    with np.load(file, allow_pickle=False) as arrays:
        assert "header" in arrays.files
        assert all(arrays[name].dtype != object for name in arrays.files)


def test_a_save_that_fails_leaves_the_file_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    algorithm, file = adapted("legr"), tmp_path / "state"
    algorithm.save(str(file))
    before = file.read_bytes()
    algorithm.suggest("a")

    def full(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        algorithm.save(str(file))
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def rewritten(file: Path, **changes: object) -> Path:
    """The file with other entries in its header."""
    with np.load(file, allow_pickle=False) as stored:
        arrays = dict(stored)
    header = {**json.loads(arrays["header"].tobytes()), **changes}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    other = file.with_name("rewritten.npz")
    np.savez(other, **arrays)
    return other


Damage = Callable[[Path], Path]


def cut_short(file: Path) -> Path:
    file.write_bytes(file.read_bytes()[:-40])
    return file


def other_bytes(file: Path) -> Path:
    file.write_bytes(b"\x80\x04]\x94.")  # a pickled list
    return file


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_short, "holds no state of a searcher, or is damaged"),
        (other_bytes, "holds no state of a searcher, or is damaged"),
        (lambda file: rewritten(file, format=2), "of format 2, newer than .* update autoprune"),
        (lambda file: rewritten(file, version=9, values={}), "newer version of autoprune.*update"),
        (lambda file: rewritten(file, searcher="amc"), "state's searcher is 'amc'"),
        (lambda file: rewritten(file, notes={}), "damaged .*'trials' is missing"),
        (lambda file: rewritten(file, values={}), "damaged .*'common' is missing"),
        (
            lambda file: rewritten(
                file, notes={"trials": [[0, "t0"]], "metric": "gain", "mode": "max"}
            ),
            "told by the metric 'gain', not 'loss'",
        ),
    ],
)
def test_what_cannot_be_gone_on_from_is_refused_and_changes_nothing(
    damage: Damage, message: str, tmp_path: Path
) -> None:
    first, file = adapted("legr"), tmp_path / "state"
    first.suggest("t0")
    first.save(str(file))
    second, plain = adapted("legr"), adapted("legr")
    with pytest.raises(MisuseError, match=message):
        second.restore(str(damage(file)))
    asked = [[algorithm.suggest(f"x{n}") for n in range(3)] for algorithm in (second, plain)]
    assert asked[0] == asked[1]
