"""In which order a network calls its modules and reads its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from autoprune.data.targets import Tree
from autoprune.evaluation.modes import evaluating
from autoprune.evaluation.objective import CLASSES, Objective

WHOLE = ""
"""Name of the network itself among its modules."""

Act = Callable[..., Any]
"""What is done in place of a call: (name of the module, its forward, *args, **kwargs) -> output."""


@dataclass(frozen=True)
class Call:
    """One call of a heavy module.

    Args:
        module: its name.
        ended: time at which it returned.
        after: how many heavy modules were called up to then, itself and those in it included.
    """

    module: str
    ended: int
    after: int


@dataclass(frozen=True)
class CallOrder:
    """One forward pass. Times count the beginnings and ends of all calls, from 1.

    Args:
        calls: of heavy modules, in the order they begin; the whole network's comes first.
        reached: module -> time at which its first call began.
        read: parameter or buffer -> time at which something was first computed from it, in
            whichever module.
    """

    calls: tuple[Call, ...]
    reached: Mapping[str, int]
    read: Mapping[str, int]

    def first_read(self, tensors: Iterable[str]) -> int:
        """Time up to which a pass does not depend on these tensors.

        0 where one of them was never seen to be read: then nothing is known. The end where there
        are none.
        """
        return min((self.read.get(name, 0) for name in tensors), default=self.calls[0].ended)


def heavy_modules(network: nn.Module) -> dict[str, nn.Module]:
    """The network itself, and every module that holds weights of two or more dimensions."""
    return {
        name: module
        for name, module in network.named_modules()
        if name == WHOLE or any(weight.ndim > 1 for weight in module.parameters())
    }


@contextmanager
def intercepted(modules: Mapping[str, nn.Module], act: Act) -> Iterator[None]:
    """Inside, calling one of the modules is calling ``act`` with its name and its forward."""
    own = {name: vars(module).get("forward") for name, module in modules.items()}
    for name, module in modules.items():
        vars(module)["forward"] = partial(act, name, module.forward)
    try:
        yield
    finally:
        for name, module in modules.items():
            if own[name] is None:
                del vars(module)["forward"]
            else:
                vars(module)["forward"] = own[name]


def read_call_order(
    network: nn.Module,
    images: torch.Tensor,
    targets: Tree = None,
    objective: Objective = CLASSES,
) -> CallOrder:
    """The order of one pass over ``images`` [N, ...] as it is scored, in eval mode."""
    clock = _Clock(frozenset(heavy_modules(network)))
    reads = _Reads(network, clock)
    with evaluating(network), intercepted(dict(network.named_modules()), clock.call), reads:
        objective.judge(network, images, targets)
    return CallOrder(tuple(clock.calls), clock.reached, reads.times)


class _Clock:
    def __init__(self, heavy: frozenset[str]) -> None:
        self.now = 0
        self.calls: list[Call] = []
        self.reached: dict[str, int] = {}
        self._heavy = heavy

    def call(self, name: str, forward: Act, *args: Any, **kwargs: Any) -> Any:
        self.now += 1
        self.reached.setdefault(name, self.now)
        number = len(self.calls)
        if name in self._heavy:
            self.calls.append(Call(name, 0, 0))
        output = forward(*args, **kwargs)
        self.now += 1
        if name in self._heavy:
            self.calls[number] = Call(name, self.now, len(self.calls))
        return output


class _Reads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation, so also weights that are read without calling their module."""

    def __init__(self, network: nn.Module, clock: _Clock) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.times: dict[str, int] = {}
        self._clock = clock
        self._names: dict[int, list[str]] = {}
        for name, tensor in network.state_dict(keep_vars=True).items():
            self._names.setdefault(id(tensor), []).append(name)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for value in tree_leaves((args, kwargs)):
            for name in self._names.get(id(value), ()):
                self.times.setdefault(name, self._clock.now)
        return func(*args, **(kwargs or {}))
