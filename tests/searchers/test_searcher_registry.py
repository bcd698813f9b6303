"""Searchers by name, from this package and from others; and what importing costs."""

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import searchers
from searchers import NetAdapt, SearcherError, make, registry, searcher_names
from searchers.testing import sample_problem

EXAMPLE = Path(searchers.__file__).parents[1] / "examples" / "searcher_alone.py"


def test_every_built_in_searcher_is_listed() -> None:
    built_in = {"amc", "legr", "netadapt", "random", "tpe", "uniform"}
    assert built_in <= set(searcher_names())
    assert searcher_names() == sorted(searcher_names())


@pytest.mark.parametrize("name", ["amc", "legr", "netadapt", "random", "tpe", "uniform"])
def test_searchers_carry_the_name_they_are_made_by(name: str) -> None:
    searcher = make(name, sample_problem(), seed=7)
    assert (searcher.name, searcher.seed) == (name, 7)


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(
        SearcherError, match=r"unknown searcher 'lgr'; there is: amc, global, legr, "
    ):
        make("lgr", sample_problem())


def test_options_reach_the_searcher() -> None:
    with pytest.raises(SearcherError, match="winner must be"):
        make("netadapt", sample_problem(), winner="luck")


def test_an_unknown_option_lists_the_legal_ones() -> None:
    with pytest.raises(SearcherError, match=r"no option 'winer'; its options are: winner, decay"):
        make("netadapt", sample_problem(), winer="ratio")
    with pytest.raises(SearcherError, match="'uniform' has no option 'x'; it has no options"):
        make("uniform", sample_problem(), x=1)


def test_another_package_adds_a_searcher_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    def announced(group: str) -> list[EntryPoint]:
        assert group == "autoprune.searchers"
        return [
            EntryPoint("mine", "searchers.netadapt:NetAdapt", group),
            EntryPoint("legr", "somewhere:Else", group),
            EntryPoint("broken", "searchers.contract:Problem", group),
        ]

    monkeypatch.setattr(registry, "entry_points", announced)
    assert "mine" in searcher_names()
    assert isinstance(make("mine", sample_problem(), winner="ratio"), NetAdapt)
    assert make("legr", sample_problem()).name == "legr"
    with pytest.raises(SearcherError, match=r"'broken'.*must name a subclass"):
        make("broken", sample_problem())


def test_importing_searchers_loads_no_heavy_package() -> None:
    code = (
        "import sys, searchers, searchers.testing, searchers.registry; "
        "searchers.make('legr', searchers.testing.sample_problem()); "
        "heavy = ('torch', 'optuna', 'ray', 'pytest', 'autoprune', 'latency_tables'); "
        "print([module for module in heavy if module in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_exported_name_is_there() -> None:
    for name in searchers.__all__:
        assert getattr(searchers, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = searchers.Nothing


def test_the_examples_in_docstrings_run() -> None:
    names = [m.name for m in pkgutil.walk_packages(searchers.__path__, "searchers.")]
    results = [doctest.testmod(importlib.import_module(name)) for name in ["searchers", *names]]
    assert sum(result.attempted for result in results) > 40
    assert sum(result.failed for result in results) == 0


@pytest.mark.parametrize("name", ["legr", "tpe"])
def test_the_example_program_runs(name: str) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLE, name], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"{name}: 40 trials, best loss 0.")


def test_the_example_program_runs_every_searcher_without_autoprune() -> None:
    code = (
        f"import runpy, sys; sys.argv = [{str(EXAMPLE)!r}]; "
        "runpy.run_path(sys.argv[0], run_name='__main__'); "
        "assert 'autoprune' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == searcher_names()
    loads = [float(re.search(r"load (\S+),", line)[1]) for line in lines]
    assert all(0.5 < load <= 1.0 for load in loads)
