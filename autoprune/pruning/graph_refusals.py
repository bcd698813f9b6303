"""What to say of an operator that no rule prices."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from torch import fx

from autoprune.errors import ModelError
from autoprune.pruning.graph_nodes import operator_name

_NEAR = 3
"""Names that are told, of those that are spelled alike."""


def unpriced(node: fx.Node, known: Collection[str]) -> ModelError:
    """The error for an operator without a rule.

    Args:
        node: what computes it.
        known: operators that have a price.
    """
    name = operator_name(node)
    near = difflib.get_close_matches(name, sorted(known), n=_NEAR)
    alike = f"There is a price for {', '.join(map(repr, near))}. " if near else ""
    return ModelError(
        f"{_place_of(node)} computes {name!r}, which no rule prices, and it is never taken for "
        f"free. {alike}docs/operators.md lists what has a price. Compute it with operators of "
        "that list; or name a part of the network that it is not in, as Task(part=...), so that "
        "only this part is pruned and measured; or add a rule for it"
    )


def _place_of(node: fx.Node) -> str:
    """The innermost module that calls it, with its class."""
    stack = node.meta.get("nn_module_stack") or {}
    if not stack:
        return "the network's own forward"
    name, kind = list(stack.values())[-1]
    kind = str(getattr(kind, "__qualname__", kind)).rpartition(".")[2]
    return f"module {name!r} ({kind})" if name else f"the network's own forward (of {kind})"
