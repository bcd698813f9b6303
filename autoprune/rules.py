"""Rules for single layers: which widths of their groups are legal, as a job file says it."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)


def _as_widths(value: object) -> object:
    if value is None or value == "full":
        return value
    several = isinstance(value, list | tuple)
    numbers = list(value) if isinstance(value, list | tuple) else [value]
    whole = [n for n in numbers if isinstance(n, int) and not isinstance(n, bool) and n >= 1]
    if not numbers or len(whole) < len(numbers):
        raise ValueError("expected whole numbers of at least 1, as in [16, 24, 32], or full")
    return tuple(sorted(set(whole))) if several else value


class Rule(BaseModel):
    """What is legal in every group of which a producing layer matches a pattern.

    Args:
        layers: pattern (``layer1.*``) over layer names.
        min_keep: smallest fraction of the group's units, in place of the job's.
        divisor: widths are multiples of it, in place of the job's; not of heads.
        widths: the only legal ones besides the full width, ascending; ``full`` leaves the group
            whole. A single number can only be the full width.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    layers: str
    min_keep: float | None = Field(None, gt=0, le=1)
    divisor: int | None = Field(None, ge=1)
    widths: Annotated[
        tuple[int, ...] | int | Literal["full"] | None, BeforeValidator(_as_widths)
    ] = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        steps = self.min_keep is not None or self.divisor is not None
        if self.widths is None and not steps:
            raise ValueError("expected min_keep, divisor or widths beside the layers")
        if self.widths is not None and steps:
            raise ValueError("widths already says all: leave min_keep and divisor out")
        return self

    @model_serializer(mode="wrap")
    def _said(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {field: value for field, value in serialise(self).items() if value is not None}

    def matches(self, layers: Iterable[str]) -> bool:
        """Whether one of the layers matches the pattern."""
        return any(fnmatchcase(layer, self.layers) for layer in layers)


def list_of_rules(value: object) -> object:
    """The same value; a ValueError says how rules are written where it is no list of them."""
    rules = value if isinstance(value, list | tuple) else [None]
    if not all(isinstance(rule, dict | Rule) for rule in rules):
        raise ValueError("expected a list of rules, as in [{layers: layer1.*, min_keep: 0.5}]")
    return value


def lists_of_patterns(value: object) -> object:
    """The same value; a ValueError says how layers are tied where it is no list of lists."""
    for each in value if isinstance(value, list | tuple) else [None]:
        patterns = each if isinstance(each, list | tuple) else []
        if not patterns or not all(isinstance(pattern, str) for pattern in patterns):
            raise ValueError("expected lists of patterns, as in [[layer1.0.conv1, layer1.1.conv1]]")
    return value
