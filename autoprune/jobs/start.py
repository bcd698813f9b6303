"""What a job takes over from another: frozen with it, so that a resume needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autoprune.trials.records import Json
from searchers.registry import options_of

Widths = tuple[int, ...]


@dataclass(frozen=True)
class Start:
    """Evaluations and schedules to begin with.

    Args:
        known: legal schedules and their losses, in the order they were told.
        first: legal schedules worth trying at once.
    """

    known: tuple[tuple[Widths, float], ...] = ()
    first: tuple[Widths, ...] = ()

    def what(self) -> Json:
        """Its part of a job's ``what``; nothing for a job that begins with nothing."""
        if self == NOTHING:
            return {}
        known = [[list(widths), loss] for widths, loss in self.known]
        return {"start": {"known": known, "first": [list(widths) for widths in self.first]}}

    @classmethod
    def of(cls, what: Json) -> Start:
        """That of a stored job."""
        said = what.get("start", {"known": [], "first": []})
        return cls(
            tuple((tuple(widths), loss) for widths, loss in said["known"]),
            tuple(tuple(widths) for widths in said["first"]),
        )

    def options(self, searcher: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """A searcher's options with what it can take of this before what is given.

        Some take evaluations (``known``), some schedules (``first``), some neither.
        """
        options = dict(given)
        for name in sorted({"known", "first"} & set(options_of(searcher))):
            if mine := getattr(self, name):
                options[name] = [*mine, *given.get(name, ())]
        return options


NOTHING = Start()
