"""A driver loop over a searcher, as autoprune runs it: tells in the order of the asks."""

from __future__ import annotations

from collections import deque

from searchers.base import Searcher
from searchers.contract import Done, Outcome, SearcherError, Suggestion, Wait
from searchers.testing.problems import Score


def run(
    searcher: Searcher, score: Score, lookahead: int = 4, tells: int | None = None
) -> list[tuple[Suggestion, Outcome]]:
    """Ask until ``lookahead`` suggestions are outstanding, tell the oldest, and so on until Done.

    Args:
        searcher: fresh, or restored without pending suggestions.
        score: called once for each suggestion.
        lookahead: K, how many suggestions may be outstanding.
        tells: stop after so many tells, with what was asked left pending; None runs to the end.

    Returns:
        What was told, in order.

    Raises:
        SearcherError: the searcher waits although nothing is pending.
    """
    outstanding: deque[Suggestion] = deque()
    told: list[tuple[Suggestion, Outcome]] = []
    while tells is None or len(told) < tells:
        refill(searcher, outstanding, lookahead)
        if not outstanding:
            break
        suggestion = outstanding.popleft()
        outcome = score(suggestion)
        searcher.tell(suggestion.id, outcome)
        told.append((suggestion, outcome))
    else:
        refill(searcher, outstanding, lookahead)
    return told


def refill(searcher: Searcher, outstanding: deque[Suggestion], lookahead: int) -> None:
    """Ask until ``lookahead`` suggestions are outstanding, or Wait, or Done."""
    while len(outstanding) < lookahead:
        proposal = searcher.ask()
        if isinstance(proposal, Wait) and not outstanding:
            raise SearcherError(f"{searcher.name} waits although nothing is pending")
        if isinstance(proposal, Wait | Done):
            return
        outstanding.append(proposal)
