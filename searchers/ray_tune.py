"""A searcher as the search algorithm of a Ray Tuner."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

try:
    from ray.tune.search import Searcher as RaySearcher
except ImportError as error:
    raise ImportError(
        "searchers.ray_tune needs Ray Tune, which is not installed: pip install 'ray[tune]'"
    ) from error

from searchers.base import Searcher
from searchers.contract import Done, MisuseError, Outcome, SearcherError, Suggestion, Wait
from searchers.restoring import check_origin, damage
from searchers.state_file import read_state, write_state

_CONFIG = ("widths", "trial", "start_from", "purpose")
_log = logging.getLogger(__name__)


class TuneSearcher(RaySearcher):  # type: ignore[misc]
    """Lets a Ray Tuner ask and tell a searcher.

    ::

        algorithm = TuneSearcher(make("legr", problem, seed=0), metric="loss", mode="min")
        tuner = tune.Tuner(
            trainable, tune_config=tune.TuneConfig(search_alg=algorithm, num_samples=-1)
        )

    A trial's config has four entries:

    - ``widths``: group -> units to keep.
    - ``trial``: the suggestion's id.
    - ``start_from``: the Tune id of the trial whose weights to start from; None for the base
      weights. Only searchers that carry weights (NetAdapt) name one.
    - ``purpose``: ``candidate``, ``step`` or ``probe``, as in :class:`~searchers.Suggestion`.

    With ``num_samples=-1`` the Tuner ends when the searcher is done; a smaller number ends it
    earlier. What is told is the last result a trial reported. A scheduler that stops a trial early,
    such as ASHA, makes that the result of little training; one that pauses trials (HyperBand) and
    stops them while they are paused makes them failures, as Ray then gives no result.

    Results are told when they come, so the proposals depend on which trial ended first: with
    several trials at a time, a second run with the same seed may propose other schedules. One
    trial at a time (``max_concurrent_trials=1``) repeats exactly if the scores do.

    A Tuner saves and restores it by itself, with :meth:`save` and :meth:`restore`. Restored with
    ``resume_errored``, a failed trial runs again, but its failure was told and stays;
    ``restart_errored`` makes trials that no searcher asked for, whose results are dropped. With
    ``resume_unfinished=False`` a searcher that waits for unfinished trials (NetAdapt) waits for
    good.

    Args:
        searcher: fresh; this asks and tells it from now on.
        metric: of the results, what to rank by. Needed here unless the Tuner has a ``param_space``:
            only then Ray passes on that of its TuneConfig.
        mode: ``min`` or ``max``.
        accuracy: of the results, a fraction in [0, 1] to tell beside the metric; searchers that
            use accuracies (AMC, NetAdapt) do without where it is None.
    """

    _metric: str | None
    _mode: str | None

    def __init__(
        self,
        searcher: Searcher,
        *,
        metric: str | None = None,
        mode: str | None = None,
        accuracy: str | None = None,
    ) -> None:
        _check_mode(mode)
        super().__init__(metric=metric, mode=mode)
        self._searcher = searcher
        self._accuracy = accuracy
        self._trials: dict[int, str] = {}
        self._open: dict[str, int] = {}

    def set_search_properties(
        self,
        metric: str | None,
        mode: str | None,
        config: Mapping[str, object],
        **spec: object,  # noqa: ARG002
    ) -> bool:
        """Take over metric and mode; the search space is the searcher's problem already.

        Raises:
            SearcherError: ``config`` has an entry of a name that suggestions use.
        """
        taken = [key for key in _CONFIG if key in config]
        if taken:
            raise SearcherError(
                f"the param_space has {', '.join(map(repr, taken))}, which the searcher sets: use "
                "another name"
            )
        _check_mode(mode)
        self._metric = metric or self._metric
        self._mode = mode or self._mode
        # False makes Ray refuse a param_space with anything left to search, which nobody would.
        return False

    def suggest(self, trial_id: str) -> dict[str, object] | str | None:
        """Ask: a config, None while the searcher waits, or FINISHED."""
        if not self._metric or not self._mode:
            raise SearcherError(
                "TuneSearcher does not know what to rank by: pass it metric= and mode= (Ray passes "
                "on those of TuneConfig only to a Tuner with a param_space)"
            )
        answer = self._searcher.ask()
        if isinstance(answer, Wait) and not self._open:
            raise SearcherError(f"{self._searcher.name} waits although nothing is pending")
        if isinstance(answer, Done):
            return str(self.FINISHED)
        if isinstance(answer, Wait):
            return None
        self._trials[answer.id] = trial_id
        self._open[trial_id] = answer.id
        return self._config(answer)

    def on_trial_result(self, trial_id: str, result: Mapping[str, object]) -> None:
        """Only the last result counts."""

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell; a trial without a finite metric, or that raised, is told as a failure."""
        if trial_id not in self._open:
            _log.warning("Result of trial %s dropped: told already, or never asked for", trial_id)
            return
        outcome = Outcome(None) if error else self._outcome(trial_id, result or {})
        self._searcher.tell(self._open[trial_id], outcome)
        del self._open[trial_id]

    def save(self, checkpoint_path: str) -> None:
        """Write the searcher's state and the ids of the trials to one file, without pickle.

        Inside a Tuner the file is named ``*.pkl``, as Ray brings back no others; it is an npz.
        """
        notes = {
            "trials": [[key, trial_id] for key, trial_id in self._trials.items()],
            "metric": self._metric,
            "mode": self._mode,
            "accuracy": self._accuracy,
        }
        write_state(Path(checkpoint_path), self._searcher.state(), notes)

    def restore(self, checkpoint_path: str) -> None:
        """Go on from a file that :meth:`save` wrote for the same searcher, problem and seed.

        Raises:
            MisuseError: the file is another searcher's, newer or damaged, or its scores are by
                another metric; nothing has changed.
        """
        state, notes = read_state(Path(checkpoint_path))
        ours = self._searcher
        check_origin(state, ours.name, ours.version, ours.problem)
        try:
            trials = {int(key): str(trial_id) for key, trial_id in notes["trials"]}
            common: Any = state.values["common"]
            pending = {trials[said["id"]]: said["id"] for said in common["pending"]}
            metric, mode = self._scores(notes)
        except Exception as error:
            raise damage(error) from error
        ours.restore(state)
        self._trials, self._open = trials, pending
        self._metric, self._mode = metric, mode

    def _config(self, suggestion: Suggestion) -> dict[str, object]:
        names = [group.name for group in self._searcher.problem.groups]
        source = suggestion.start_from
        return {
            "widths": dict(zip(names, suggestion.widths, strict=True)),
            "trial": suggestion.id,
            "start_from": None if source is None else self._trials[source],
            "purpose": suggestion.purpose,
        }

    def _outcome(self, trial_id: str, result: Mapping[str, Any]) -> Outcome:
        value = _finite(trial_id, result, str(self._metric))
        if value is None:
            return Outcome(None)
        loss = -value if self._mode == "max" else value
        if self._accuracy is None:
            return Outcome(loss)
        accuracy = _finite(trial_id, result, self._accuracy)
        return Outcome(None) if accuracy is None else Outcome(loss, accuracy)

    def _scores(self, notes: Mapping[str, Any]) -> tuple[str, str]:
        """Metric and mode of a file, once they are this one's."""
        here = {"metric": self._metric, "mode": self._mode, "accuracy": self._accuracy}
        for what, value in here.items():
            if notes[what] != value and (value is not None or what == "accuracy"):
                raise MisuseError(
                    f"the trials in the file were told by the {what} {notes[what]!r}, not {value!r}"
                )
        return notes["metric"], notes["mode"]


def _check_mode(mode: str | None) -> None:
    if mode not in (None, "min", "max"):
        raise SearcherError(f"mode must be 'min' or 'max', got {mode!r}")


def _finite(trial_id: str, result: Mapping[str, Any], name: str) -> float | None:
    """A number of a result; None, and a warning, where there is none."""
    try:
        value = float(result[name])
    except (KeyError, TypeError, ValueError):
        value = math.nan
    if math.isfinite(value):
        return value
    _log.warning("Trial %s failed: %r is %r in its last result", trial_id, name, result.get(name))
    return None
