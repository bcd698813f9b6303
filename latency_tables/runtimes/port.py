"""What a runtime offers: run one operator, or a whole network, as often as asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch

from latency_tables.device import DeviceFingerprint
from latency_tables.operators import Operator

Runner = Callable[[], None]
"""One call runs the operator or network once; inputs, weights and outputs are already in place."""


@runtime_checkable
class SelfTimed(Protocol):
    """A runner that tells the time itself, because the host's clock does not see its device work.

    ``runner()`` returns when the device has finished, so that it can be timed from outside too.
    """

    def __call__(self) -> None:
        """Run once, to the end."""
        ...

    def seconds(self, calls: int) -> float:
        """Run so many times in a row; the mean time of one, in seconds."""
        ...


@runtime_checkable
class OwnDevice(Protocol):
    """A runtime that runs on something else than the host's processor."""

    def device(self) -> DeviceFingerprint:
        """The host's fingerprint with the accelerator in it."""
        ...


class Runtime(Protocol):
    """Runs operators and networks in one way, the same for both.

    What is fused is the runtime's business: ``operator_runner`` runs the operator together with
    its ``batch_norm`` and ``activation`` in one graph, fused where the runtime fuses them in a
    network. What the runtime folds away altogether, ``normalise`` removes from the signature, so
    that operators which cost the same are measured once.

    Whoever makes one (its class takes no arguments) finds out at once whether it can run here:
    RuntimeNotInstalledError says what is missing and what to do. A runtime on a device of its own
    is an :class:`OwnDevice` as well, and its runners may be :class:`SelfTimed`.
    """

    @property
    def name(self) -> str:
        """As in the registry, and in every table measured with it."""
        ...

    @property
    def dtype(self) -> str:
        """Of weights and activations, as in ``float32``; part of a table's context."""
        ...

    def version(self) -> str:
        """Version of the library that runs; part of a table's context."""
        ...

    def normalise(self, op: Operator) -> Operator:
        """The operator as this runtime will run it; idempotent."""
        ...

    def operator_runner(self, op: Operator, batch: int, threads: int) -> Runner:
        """A runner of one operator.

        Raises:
            UnsupportedOperatorError: the operator cannot be run as described.
        """
        ...

    def network_runner(
        self, model: torch.nn.Module, example_input: torch.Tensor, threads: int
    ) -> Runner:
        """A runner of a whole network.

        Args:
            model: on the CPU, in evaluation mode, and kept so while the runner is used.
            example_input: [batch, ...]; the batch size is the one measured.
            threads: that run it.

        Raises:
            ValueError: the model is in training mode.
        """
        ...
