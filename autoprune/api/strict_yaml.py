"""Job files in YAML, read as strictly as JSON: plain values, one reading, within bounds."""

from __future__ import annotations

import math
from typing import Any, Self

import yaml
from fastapi import Request
from starlette.concurrency import run_in_threadpool

from autoprune.api.problems import Problem
from autoprune.api.strict_json import DEEPEST, StrictRequest, StrictRoute, check_text

MEDIA_TYPE = "application/yaml"
MOST_BYTES = 2**16
"""YAML is read far more slowly than JSON, and no job file is this long."""


class YamlRequest(StrictRequest):
    """A request whose body is a job file in YAML."""

    most_bytes = MOST_BYTES

    @classmethod
    def of(cls, request: Request) -> Self:
        """The request with the header by which FastAPI asks for a body's value."""
        kept = [header for header in request.scope["headers"] if header[0] != b"content-type"]
        headers = [*kept, (b"content-type", b"application/json")]
        return cls({**request.scope, "headers": headers}, request.receive)

    async def json(self) -> Any:
        """The body's value; see :func:`read_yaml`."""
        return await run_in_threadpool(read_yaml, await self.body())


class JobFileRoute(StrictRoute):
    """A route whose body is JSON, or the same fields as YAML."""

    readers = {**StrictRoute.readers, MEDIA_TYPE: YamlRequest}  # noqa: RUF012


class _Loader(yaml.SafeLoader):
    """PyYAML's safe one, less what makes a short text large or gives it a second reading."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The next node, unless it is too deep or stands for another one."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ValueError("write repeated values out: anchors and aliases are not taken")
        self.depth += 1
        if self.depth > DEEPEST:
            raise ValueError(f"nested more than {DEEPEST} deep")
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Fields, each by a name of its own."""
        names = [self.construct_object(name, deep=True) for name, _ in node.value]
        if not all(isinstance(name, str) for name in names):
            raise ValueError("expected names of fields to be text")
        if len(set(names)) < len(names):
            raise ValueError("a name occurs twice in one object")
        return super().construct_mapping(node, deep)


# As in JSON a date is text.
_Loader.yaml_implicit_resolvers = {
    first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(body: bytes) -> Any:
    """The value of a YAML document; an empty one has no fields.

    Raises:
        Problem: it is no YAML in UTF-8, holds what JSON has no word for, anchors, aliases, a name
            twice, text that no database keeps, or is nested more than :data:`DEEPEST` deep.
    """
    try:
        value = yaml.load(body.decode("utf-8"), _Loader)
        _check_plain(value)
    except (ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        raise Problem("body-unreadable", f"expected YAML in UTF-8: {error}"[:300]) from None
    check_text(value)
    return {} if value is None else value


def _check_plain(value: Any) -> None:
    if isinstance(value, dict):
        for item in value.values():
            _check_plain(item)
    elif isinstance(value, list):
        for item in value:
            _check_plain(item)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no JSON number")
    elif not isinstance(value, str | int | float | None):
        raise ValueError(f"expected text, numbers and lists, got a {type(value).__name__}")
