"""A bundle is written whole, proven, or not at all."""

from __future__ import annotations

import copy
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from export_case import Case
from torch import nn

from autoprune.errors import InputError, StorageError, VerificationError
from autoprune.export import bundle as bundle_module
from autoprune.export import files
from autoprune.export.files import read_schedule, read_tensors, sha256

Write = Callable[..., Path]


def test_it_holds_every_file_with_its_hash(written: Path) -> None:
    schedule = read_schedule(written)
    assert {path.name for path in written.iterdir()} == {files.SCHEDULE, *files.HASHED}
    assert schedule.hashes.files == {name: sha256(written / name) for name in files.HASHED}
    files.check_seal(written, schedule)


def test_the_weights_are_the_pruned_networks(written: Path, case: Case) -> None:
    stored = read_tensors(written / files.WEIGHTS)
    state = case.pruned.state_dict()
    assert stored.keys() == state.keys()
    assert all(torch.equal(stored[name], state[name]) for name in state)


def test_the_callers_networks_stay_as_they_are(write: Write, case: Case, tmp_path: Path) -> None:
    training = copy.deepcopy(case.pruned).train()
    before = {name: tensor.clone() for name, tensor in training.state_dict().items()}
    write(tmp_path / "out", pruned=training)
    assert training.training
    assert all(torch.equal(before[name], t) for name, t in training.state_dict().items())


@pytest.mark.parametrize("make", ["nothing", "empty"])
def test_a_new_or_empty_folder_is_taken(write: Write, tmp_path: Path, make: str) -> None:
    out = tmp_path / "deep" / "out"
    if make == "empty":
        out.mkdir(parents=True)
    assert write(out) == out
    assert bundle_module.is_bundle(out)


def test_a_folder_with_other_files_is_refused(write: Write, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(InputError, match=r"notes\.txt"):
            write(tmp_path, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_bundle_with_other_files_is_never_replaced(write: Write, bundle: Path) -> None:
    (bundle / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt"):
        write(bundle, overwrite=True)
    assert (bundle / "notes.txt").read_text() == "mine"


def test_a_foreign_schedule_json_does_not_make_a_bundle(write: Write, tmp_path: Path) -> None:
    (tmp_path / "schedule.json").write_text("{}")
    with pytest.raises(InputError, match="not a bundle"):
        write(tmp_path, overwrite=True)


def test_an_older_bundle_is_replaced_only_when_asked(
    write: Write, bundle: Path, case: Case
) -> None:
    with pytest.raises(InputError, match="--overwrite"):
        write(bundle)
    write(bundle, schedule=case.schedule(score=0.25), overwrite=True)
    assert read_schedule(bundle).score == 0.25
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_a_file_in_the_way_is_refused(write: Write, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InputError, match="is a file"):
        write(tmp_path / "out")


@pytest.mark.parametrize("failing", [1, 3, 6])
def test_a_full_disk_leaves_nothing_behind(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    calls = 0
    real = files.write_durably

    def full(path: Path, content: bytes) -> None:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, content)

    monkeypatch.setattr(files, "write_durably", full)
    with pytest.raises(StorageError, match="No space left"):
        write(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_older_bundle_stays_when_the_new_one_cannot_take_its_place(
    write: Write, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_schedule(bundle)
    real = Path.rename

    def broken(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises(StorageError):
        write(bundle, overwrite=True)
    assert read_schedule(bundle) == before
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_a_schedule_of_another_network_is_refused(write: Write, case: Case, tmp_path: Path) -> None:
    layers = dict(case.fields["layers"])
    layers["conv1"] = {**layers["conv1"], "out_channels": (8, 2), "keep_ratio": 0.25}
    with pytest.raises(VerificationError, match=r"'conv1'.*3 -> 2 channels.*\(4, 3, 3, 3\)"):
        write(tmp_path / "out", schedule=case.schedule(layers=layers))
    assert list(tmp_path.iterdir()) == []


class TracedWrong(nn.Module):
    """Traces into a constant: the exporter freezes what the first input decided."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.inner(x)
        return out if float(x.flatten()[0]) > 0 else out + 1.0


def test_an_onnx_file_that_computes_something_else_is_refused(
    write: Write, case: Case, tmp_path: Path
) -> None:
    renamed = {f"inner.{name}": layer for name, layer in case.fields["layers"].items()}
    with pytest.raises(VerificationError, match="does not compute what the network computes"):
        write(
            tmp_path / "out",
            pruned=TracedWrong(case.pruned),
            unpruned=TracedWrong(case.unpruned),
            schedule=case.schedule(layers=renamed),
        )
    assert list(tmp_path.iterdir()) == []
