"""A table: the latencies of operators in one context, sealed by a hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from latency_tables.canonical import content_hash
from latency_tables.device import DeviceFingerprint
from latency_tables.errors import TableFileError
from latency_tables.lookup import FloatArray, Lookup, Price
from latency_tables.operators import Operator
from latency_tables.statistics import Sample

FORMAT_VERSION = 2


@dataclass(frozen=True)
class TableContext:
    """Everything beside the operator that a latency depends on.

    Args:
        runtime: name in the registry of runtimes.
        runtime_version: of the library.
        batch: images per call.
        threads: of the runtime.
        device: the kind of machine.
        dtype, layout: of the tensors.
    """

    runtime: str
    runtime_version: str
    batch: int
    threads: int
    device: DeviceFingerprint
    dtype: str = "float32"
    layout: str = "nchw"

    @property
    def bytes_per_value(self) -> int:
        """Of one weight."""
        return np.dtype(self.dtype).itemsize

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TableContext:
        """The reverse of :meth:`to_json`."""
        return cls(**{**values, "device": DeviceFingerprint.from_json(values["device"])})


@dataclass(frozen=True)
class Entry:
    """One operator's measured latency.

    Args:
        sample: called again and again.
        cold_s: called after many others, median in seconds; None in tables of the first version.
    """

    operator: Operator
    sample: Sample
    cold_s: float | None = None

    @property
    def cold(self) -> float:
        """Seconds of a call that finds its weights in no near cache; never below the median."""
        return max(self.cold_s or 0.0, self.sample.median_s)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        content = {"operator": self.operator.to_json(), "sample": self.sample.to_json()}
        return content if self.cold_s is None else {**content, "cold_s": self.cold_s}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Entry:
        """The reverse of :meth:`to_json`."""
        return cls(
            Operator.from_json(values["operator"]),
            Sample.from_json(values["sample"]),
            values.get("cold_s"),
        )


@dataclass(frozen=True)
class Table:
    """Measured latencies of operators on one device, runtime, batch, dtype and thread count.

    Args:
        context: what they were measured under.
        entries: one per operator, in any order; kept sorted.
        method: how they were measured, JSON values.

    Raises:
        ValueError: an operator occurs twice.
    """

    context: TableContext
    entries: tuple[Entry, ...]
    method: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.entries, key=lambda entry: entry.operator))
        object.__setattr__(self, "entries", ordered)
        for before, after in pairwise(ordered):
            if before.operator == after.operator:
                raise ValueError(f"{after.operator.label} occurs twice among the table's entries")

    @cached_property
    def hash(self) -> str:
        """sha256 over the canonical JSON of everything the table says."""
        return content_hash(self._content())

    def price(self, op: Operator) -> Price:
        """The latency of one operator.

        Args:
            op: as in a network; the table's runtime normalises it.

        Raises:
            MissingOperatorError: neither measured nor between measured neighbours.
        """
        return self._lookup.price(op)

    def prices(
        self, op: Operator, in_channels: npt.ArrayLike, out_channels: npt.ArrayLike
    ) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Latencies of one operator at many widths.

        Args:
            op: the template, whose own widths do not matter.
            in_channels: [A].
            out_channels: [B].

        Returns:
            Seconds [A, B], and whether each was measured (else interpolated) [A, B].

        Raises:
            MissingOperatorError: a pair is neither measured nor between measured neighbours.
        """
        return self._lookup.prices(
            op, np.asarray(in_channels, np.int64), np.asarray(out_channels, np.int64)
        )

    def prices_equal(
        self, op: Operator, channels: npt.ArrayLike
    ) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Latencies of an operator that has as many outputs as inputs, at many widths.

        Args:
            op: the template: a depthwise convolution, an addition, a pooling...
            channels: [A].

        Returns:
            Seconds [A], and whether each was measured (else interpolated) [A].

        Raises:
            MissingOperatorError: a width is neither measured nor between measured neighbours.
        """
        return self._lookup.prices_equal(op, np.asarray(channels, np.int64))

    def normalised(self, op: Operator) -> Operator:
        """The operator as the table's runtime runs it, and as its entries name it."""
        return self._lookup.normalised(op)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, with the format's version and the hash."""
        return {"version": FORMAT_VERSION, "hash": self.hash, **self._content()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Table:
        """The reverse of :meth:`to_json`.

        Raises:
            TableFileError: of a newer version, incomplete, or altered since it was hashed.
        """
        check_version("latency table", values, FORMAT_VERSION)
        try:
            table = cls(
                TableContext.from_json(values["context"]),
                tuple(Entry.from_json(entry) for entry in values["entries"]),
                values["method"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TableFileError(f"this is not a complete latency table: {error!r}") from error
        if table.hash != values.get("hash"):
            raise TableFileError(
                f"the latency table was altered: its content hashes to {table.hash}, its seal is "
                f"{values.get('hash')}; measure it again or restore the original"
            )
        return table

    def _content(self) -> dict[str, Any]:
        return {
            "context": self.context.to_json(),
            "entries": [entry.to_json() for entry in self.entries],
            "method": dict(self.method),
        }

    @cached_property
    def cold(self) -> Table:
        """The same table with the latencies of operators called after many others."""
        entries = (
            Entry(entry.operator, replace(entry.sample, median_s=entry.cold))
            for entry in self.entries
        )
        return replace(self, entries=tuple(entries))

    @cached_property
    def _lookup(self) -> Lookup:
        seconds = {entry.operator: entry.sample.median_s for entry in self.entries}
        return Lookup(seconds, self.context.runtime)


def check_version(what: str, values: Mapping[str, Any], newest: int) -> None:
    """Refuse content of a format that this version does not know.

    Raises:
        TableFileError: the version is missing, not a number, or newer than ``newest``.
    """
    version = values.get("version")
    if not isinstance(version, int) or version < 1:
        raise TableFileError(f"this is not a {what}: it says version {version!r}")
    if version > newest:
        raise TableFileError(
            f"the {what} is of format version {version} and this program reads up to {newest}: "
            "update autoprune, or measure the table again"
        )
