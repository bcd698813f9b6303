"""Write a bundle: everything a schedule needs to be used, proven before it is in place."""

from __future__ import annotations

import copy
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from autoprune.errors import InputError, StorageError, VerificationError
from autoprune.export import files
from autoprune.export.history import History
from autoprune.export.load import load
from autoprune.export.onnx_files import check_numerics, read_graph, weight_channels
from autoprune.export.report import render_report
from autoprune.export.schedule import Schedule
from autoprune.export.shapes import Side, first_difference, missing_weights
from autoprune.pruning.parts import part_of
from latency_tables.runtimes.onnx_export import INPUT_NAME, export_onnx, flat, output_names

RANDOM_INPUTS = 4


@dataclass(frozen=True)
class BundlePaths:
    """Where the files of a bundle are."""

    folder: Path

    @property
    def schedule(self) -> Path:
        """The schedule, with the hashes of the other files."""
        return self.folder / files.SCHEDULE

    @property
    def weights(self) -> Path:
        """State dict of the pruned network."""
        return self.folder / files.WEIGHTS

    @property
    def onnx(self) -> Path:
        """The pruned network."""
        return self.folder / files.ONNX

    @property
    def unpruned_onnx(self) -> Path:
        """The network it came from, to measure it against."""
        return self.folder / files.UNPRUNED_ONNX

    @property
    def check(self) -> Path:
        """An input and what the pruned network puts out for it."""
        return self.folder / files.CHECK

    @property
    def report(self) -> Path:
        """For people."""
        return self.folder / files.REPORT


def write_bundle(
    out: Path,
    *,
    pruned: nn.Module,
    unpruned: nn.Module,
    example_input: torch.Tensor,
    schedule: Schedule,
    history: History,
    overwrite: bool = False,
) -> BundlePaths:
    """Write a bundle whole or not at all.

    It is written into a folder beside ``out``, its ONNX files are compared with the networks, the
    pruned network is rebuilt from it, and only then does the folder get its name.

    Args:
        out: does not exist, is empty, or, with ``overwrite``, holds a bundle and nothing else.
        pruned: with final weights; neither network is changed.
        unpruned: with base weights.
        example_input: [batch, ...], float, as what is measured of the networks takes it; its batch
            is the one measured.
        schedule: without the hashes of files, which are filled in here.
        history: for the report.
        overwrite: whether a bundle in ``out`` may be replaced.

    Raises:
        InputError: ``out`` is taken.
        VerificationError: the schedule or an ONNX file does not say what the networks are.
        StorageError: the disk is full or the folder cannot be written.
    """
    out = Path(out).absolute()
    check_free(out, overwrite)
    contents = _contents(_still(pruned), _still(unpruned), example_input.cpu(), schedule)
    contents[files.REPORT] = render_report(schedule, history).encode()
    partial = out.with_name(f".{out.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.mkdir(parents=True)
        _write(partial, contents, schedule)
        load(partial, model=_still(unpruned))
        _put_in_place(partial, out)
    except OSError as error:
        raise StorageError(
            f"the bundle could not be written to {out}: {error.strerror or error}; "
            "nothing was left there. Free space or name another folder"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return BundlePaths(out)


def is_bundle(folder: Path) -> bool:
    """Whether a folder holds a bundle, whatever its state."""
    try:
        files.read_schedule(folder)
    except InputError:
        return False
    except VerificationError:
        return True
    return True


def _still(model: nn.Module) -> nn.Module:
    return copy.deepcopy(model).cpu().eval()


def check_free(out: Path, overwrite: bool) -> None:
    """Raise InputError where a bundle written to ``out`` would hide or replace something."""
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{out} is a file: name a folder for the bundle")
    held = {entry.name for entry in out.iterdir()}
    if not held:
        return
    foreign = sorted(held - {files.SCHEDULE, files.NEXT_REPORT, *files.HASHED})
    if foreign or not is_bundle(out):
        what = f"holds {', '.join(foreign[:3])}" if foreign else "is not empty and not a bundle"
        raise InputError(f"{out} {what}: name another folder for the bundle, or empty this one")
    if not overwrite:
        raise InputError(
            f"{out} holds a bundle already: name another folder, or replace it with --overwrite"
        )


def _contents(
    pruned: nn.Module, unpruned: nn.Module, example: torch.Tensor, schedule: Schedule
) -> dict[str, bytes]:
    part = schedule.model.part
    with torch.inference_mode():
        outputs = flat(part_of(pruned, part)(example))
    check = dict(zip(output_names(len(outputs)), outputs, strict=True))
    contents = {
        files.WEIGHTS: files.tensor_bytes(pruned.state_dict()),
        files.CHECK: files.tensor_bytes({INPUT_NAME: example, **check}),
    }
    rng = torch.Generator().manual_seed(0)
    inputs = [example]
    inputs += [torch.randn(example.shape, generator=rng) for _ in range(RANDOM_INPUTS)]
    networks: list[tuple[str, nn.Module, Side]] = [
        (files.ONNX, pruned, "after"),
        (files.UNPRUNED_ONNX, unpruned, "before"),
    ]
    for name, network, side in networks:
        measured = part_of(network, part)
        contents[name] = export_onnx(measured, example)
        check_numerics(contents[name], measured, inputs, name)
        _check_described(schedule, network, contents[name], side)
    return contents


def _check_described(schedule: Schedule, network: nn.Module, onnx: bytes, side: Side) -> None:
    wrong = first_difference(schedule.layers, network.state_dict(), side)
    if wrong is None:
        found = weight_channels(read_graph(onnx, "the exported network"))
        missing = missing_weights(schedule.layers, found, side)
        wrong = f"its ONNX file lacks {', '.join(missing)}" if missing else None
    if wrong is not None:
        raise VerificationError(
            f"the schedule does not describe the network {side} pruning: {wrong}"
        )


def _write(folder: Path, contents: dict[str, bytes], schedule: Schedule) -> None:
    for name, content in contents.items():
        files.write_durably(folder / name, content)
    hashes = {name: files.sha256(folder / name) for name in files.HASHED}
    text = files.schedule_text(files.sealed(schedule, hashes))
    files.write_durably(folder / files.SCHEDULE, text.encode())
    files.sync_folder(folder)


def _put_in_place(partial: Path, out: Path) -> None:
    """Rename; the older bundle is moved aside first and comes back if that fails."""
    older = None
    if out.exists() and any(out.iterdir()):
        older = partial.with_suffix(".older")
        out.rename(older)
    try:
        partial.rename(out)
    except OSError:
        if older is not None:
            older.rename(out)
        raise
    files.sync_folder(out.parent)
    if older is not None:
        shutil.rmtree(older, ignore_errors=True)
