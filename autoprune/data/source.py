"""What a dataset's name says, taken apart: ``kind:argument?option=value&option=value``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from autoprune.data.dataset import Dataset
from autoprune.errors import DataError


@dataclass(frozen=True)
class Source:
    """Where a dataset comes from.

    Args:
        name: as the user wrote it.
        argument: what follows the colon, without the options; mostly a path.
        options: what follows the question mark.
        cache_dir: where decoded images may be kept; None keeps nothing.
    """

    name: str
    argument: str
    options: Mapping[str, str]
    cache_dir: Path | None

    def folder(self) -> Path:
        """The argument as an existing folder."""
        kind = self.name.partition(":")[0]
        if not self.argument:
            raise DataError(f"data {self.name!r} needs a folder: write {kind}:DIR")
        path = Path(self.argument).expanduser()
        if not path.is_dir():
            raise DataError(f"data {self.name!r}: there is no folder {path}")
        return path

    def check_options(self, *known: str) -> None:
        """Raise DataError for an option that this kind of data does not have."""
        unknown = sorted(set(self.options) - set(known))
        if unknown:
            there_is = ", ".join(known) or "none"
            raise DataError(
                f"data {self.name!r}: unknown option {', '.join(unknown)}; there is: {there_is}"
            )

    def numbers(self, option: str, default: tuple[float, ...]) -> tuple[float, ...]:
        """An option of comma-separated numbers, as in ``mean=0.5,0.5,0.5``."""
        text = self.options.get(option)
        if text is None:
            return default
        try:
            return tuple(float(part) for part in text.split(","))
        except ValueError:
            raise DataError(
                f"data {self.name!r}: option {option} must be numbers with commas, got {text!r}"
            ) from None


Loader = Callable[[Source], Dataset]


def parse_source(name: str, cache_dir: Path | None) -> Source:
    """Take a dataset's name apart."""
    location, _, query = name.partition("?")
    options: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        key, equals, value = part.partition("=")
        if not equals:
            raise DataError(f"data {name!r}: write options as name=value, got {part!r}")
        options[key] = value
    return Source(name, location.partition(":")[2], options, cache_dir)
