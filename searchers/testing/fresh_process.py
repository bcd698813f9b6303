"""Run a searcher in another Python process and bring back what it asked."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from typing import Any

from searchers.testing.driver import run
from searchers.testing.problems import sample_problem, sample_score

_PROGRAM = """
import importlib.util, json, sys
path, name, search_path, trials, seed = json.loads(sys.argv[1])
sys.path[:] = search_path
spec = importlib.util.spec_from_file_location("suite_under_test", path)
module = importlib.util.module_from_spec(spec)
sys.modules["suite_under_test"] = module
spec.loader.exec_module(module)
from searchers.testing.fresh_process import asked
print(json.dumps(asked(getattr(module, name), trials, seed)))
"""


def replay_in_fresh_process(suite: type[Any], trials: int, seed: int) -> list[list[object]]:
    """Search the sample problem in a new process and list its suggestions as JSON values.

    Args:
        suite: a class with ``make_searcher``, at the top level of its module.
        trials: of the sample problem.
        seed: of the searcher.

    Raises:
        RuntimeError: the process failed; the message is its error output.
    """
    arguments = [inspect.getfile(suite), suite.__name__, sys.path, trials, seed]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the fresh process failed:\n{done.stderr}")
    answer: list[list[object]] = json.loads(done.stdout.splitlines()[-1])
    return answer


def asked(suite: type[Any], trials: int, seed: int) -> list[list[object]]:
    """Every suggestion on the sample problem: id, widths, purpose, start_from."""
    problem = sample_problem(6, trials)
    told = run(suite().make_searcher(problem, seed), sample_score(problem))
    return [[s.id, list(s.widths), s.purpose, s.start_from] for s, _ in told]
