"""A pruned network and bundles of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from drawing import Open, opened
from export_case import Case, make_case
from playwright.sync_api import Browser

from autoprune.export.bundle import write_bundle
from autoprune.export.history import History, TrialRow


@contextmanager
def one_thread() -> Iterator[None]:
    """These networks are too small for threads, which only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture
def draw(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens a page from its text, with options of the browser's context."""
    contexts = []

    def call(html: str, **context: Any) -> Any:
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        own, drawn = opened(browser, path, **context)
        contexts.append(own)
        return drawn

    yield call
    for own in contexts:
        own.close()


@pytest.fixture(scope="session")
def case() -> Case:
    with one_thread():
        return make_case()


@pytest.fixture(scope="session")
def history() -> History:
    return History(
        [
            TrialRow(0, "candidate", 0.52, 0.81, 0.00050),
            TrialRow(1, "step", 0.40, 0.85, 0.00070),
            TrialRow(2, "candidate", 0.31, 0.90, 0.00048),
            TrialRow(3, "candidate", None, None, 0.00049),
        ]
    )


@pytest.fixture(scope="session")
def written(case: Case, history: History, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that no test may change."""
    out = tmp_path_factory.mktemp("written") / "bundle"
    with one_thread():
        write_bundle(
            out,
            pruned=case.pruned,
            unpruned=case.unpruned,
            example_input=case.example_input,
            schedule=case.schedule(),
            history=history,
        )
    return out


@pytest.fixture
def bundle(written: Path, tmp_path: Path) -> Path:
    """A bundle of the test's own."""
    return Path(shutil.copytree(written, tmp_path / "bundle"))


@pytest.fixture
def write(case: Case, history: History) -> Callable[..., Path]:
    """Write a bundle of the case, with some arguments replaced."""

    def call(out: Path, **changes: Any) -> Path:
        arguments: dict[str, Any] = {
            "pruned": case.pruned,
            "unpruned": case.unpruned,
            "example_input": case.example_input,
            "schedule": case.schedule(),
            "history": history,
            **changes,
        }
        return write_bundle(out, **arguments).folder

    return call
