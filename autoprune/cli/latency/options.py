"""Options that the latency commands share, each group declared once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, asdict, dataclass, fields, is_dataclass
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from autoprune.errors import InputError
from autoprune.spec import JobSpec, load_values, make_spec

Model = Annotated[str, typer.Option("--model", help="Network whose operators are wanted.")]
TableOut = Annotated[Path, typer.Option("--out", help="The table file to write.")]
TABLE_HELP = "A table file, or the hash of a table in the database."


@dataclass(frozen=True)
class NetworkOptions:
    """What of a network can be pruned; whether a table fits depends on it."""

    input_shape: Annotated[
        str | None, typer.Option("--input", help="Shape of one image, as in 3x224x224.")
    ] = None
    task: Annotated[
        str | None,
        typer.Option(
            "--task", help="As the search will use it; its part then takes the shape of --input."
        ),
    ] = None
    classes: Annotated[int, typer.Option("--classes", help="Outputs of the classifier.")] = 10
    divisor: Annotated[int | None, typer.Option("--divisor", help="As the search will use it.")] = (
        None
    )
    min_keep: Annotated[float, typer.Option("--min-keep", help="As the search will use it.")] = 0.1
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", help="As the search will use it.")
    ] = None
    rules: Annotated[
        Path | None,
        typer.Option("--rules", help="Job file whose rules and tied groups the search will use."),
    ] = None

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Of one image; None where it is not given.

        Raises:
            InputError: it is no shape.
        """
        if self.input_shape is None:
            return None
        parts = self.input_shape.lower().split("x")
        if not all(part.isdigit() and int(part) > 0 for part in parts):
            raise InputError(
                f"cannot read the input shape {self.input_shape!r}: write it as 3x224x224"
            )
        return tuple(int(part) for part in parts)

    def spec(self, **more: Any) -> JobSpec:
        """The job spec that these options and ``more`` make; what is None keeps its default."""
        values = {**asdict(self), **more}
        in_file = load_values(values.pop("rules"), {})
        values |= {field: in_file[field] for field in ("rules", "tied") if field in in_file}
        for unspecified in ("input_shape", "classes"):
            del values[unspecified]
        return make_spec({key: value for key, value in values.items() if value is not None})


@dataclass(frozen=True)
class MeasuringOptions(NetworkOptions):
    """Which network is measured, and how it runs."""

    runtime: Annotated[
        str | None,
        typer.Option("--runtime", help="What runs the network; onnxruntime unless named."),
    ] = None
    batch: Annotated[int, typer.Option("--batch", help="Images per inference.")] = 1
    threads: Annotated[
        int | None, typer.Option("--threads", help="Threads of an inference; 1 unless given.")
    ] = None


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose dataclass parameters are replaced by one option for each of their fields."""
    taken = signature(command, eval_str=True)
    groups = {
        name: each.annotation
        for name, each in taken.parameters.items()
        if isinstance(each.annotation, type) and is_dataclass(each.annotation)
    }

    @wraps(command)
    def called(**values: Any) -> None:
        for name, group in groups.items():
            own = {field.name: values.pop(field.name) for field in fields(group)}
            values[name] = group(**own)
        command(**values)

    options = [
        each
        for parameter in taken.parameters.values()
        for each in (
            _options_of(parameter.annotation)
            if parameter.name in groups
            else [parameter.replace(kind=Parameter.KEYWORD_ONLY)]
        )
    ]
    called.__signature__ = taken.replace(parameters=options)  # type: ignore[attr-defined]
    return called


def _options_of(group: type[Any]) -> Iterator[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        yield Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=_default(field),
            annotation=hints[field.name],
        )


def _default(field: Field[Any]) -> Any:
    return Parameter.empty if field.default is MISSING else field.default
