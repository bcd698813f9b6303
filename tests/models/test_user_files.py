"""A user's file is one module, which finds its neighbours and is never older than the file."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from autoprune.data.factories import import_reference
from autoprune.errors import InputError, ModelError
from autoprune.models.registry import build_model
from autoprune.user_files import load_module

COUNTS = """
import pathlib
with (pathlib.Path(__file__).parent / "executed").open("a") as log:
    log.write("x")
"""


def write(file: Path, text: str) -> str:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return str(file)


def executions(folder: Path) -> int:
    return len((folder / "executed").read_text())


@pytest.fixture(autouse=True)
def _path_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])


def test_a_file_is_executed_once_whatever_is_asked_of_it_and_however_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"{COUNTS}\nfrom torch import nn\nclass Own: ...\ndef network(): return nn.Linear(2, 2)"
    file = write(tmp_path / "once_only.py", text)
    own = import_reference(f"{file}:Own")
    build_model(f"{file}:network", classes=2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "link.py").symlink_to(file)
    for same in ("once_only.py", "./once_only.py", "~/once_only.py", "link.py", "once_only"):
        assert import_reference(f"{same}:Own") is own
        build_model(f"{same}:network", classes=2)
    assert executions(tmp_path) == 1
    assert pickle.loads(pickle.dumps(own)) is own  # noqa: S301 - made here


def test_a_file_that_a_neighbour_imports_is_the_same_module(tmp_path: Path) -> None:
    model = write(tmp_path / "shared_net.py", f"{COUNTS}\nclass Out: ...")
    task = write(tmp_path / "shared_task.py", "from shared_net import Out")
    assert load_module(task).Out is load_module(model).Out
    assert executions(tmp_path) == 1


@pytest.mark.parametrize("edited", ["edited_net.py", "edited_layers.py"])
def test_an_edited_file_is_executed_anew_and_so_is_what_imports_it(
    tmp_path: Path, edited: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within one second, and of one size: neither time nor size tells."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    layers = "WIDTH = 1\ndef width(): return WIDTH\n"
    write(tmp_path / "edited_layers.py", layers)
    net = write(tmp_path / "edited_net.py", "from edited_layers import width\nDEPTH = 1\n")
    before = load_module(net)
    assert load_module(net) is before
    text = (tmp_path / edited).read_text()
    (tmp_path / edited).write_text(text.replace("= 1", "= 2"))
    after = load_module(net)
    assert sorted((after.DEPTH, after.width())) == [1, 2]
    assert (before.DEPTH, before.width()) == (1, 1)


def test_a_neighbour_that_a_function_imports_is_found_when_it_is_called(tmp_path: Path) -> None:
    write(tmp_path / "late_layers.py", "WIDTH = 7")
    file = write(
        tmp_path / "late_net.py",
        "def width():\n    from late_layers import WIDTH\n    return WIDTH",
    )
    width = import_reference(f"{file}:width")
    assert width() == 7


def test_neighbours_of_one_name_are_those_of_the_files_own_folder(tmp_path: Path) -> None:
    """Also of files of one name, also after another folder was asked for."""
    for each in ("one", "two"):
        folder = tmp_path / each
        write(folder / "same_layers.py", f"NAME = {each!r}")
        write(folder / "same_net.py", "from same_layers import NAME\nclass Net: ...")
        write(folder / "same_task.py", "from same_net import Net, NAME")
    one = load_module(f"{tmp_path}/one/same_net.py")
    two = load_module(f"{tmp_path}/two/same_net.py")
    assert (one.NAME, two.NAME) == ("one", "two")
    assert load_module(f"{tmp_path}/one/same_task.py").Net is one.Net
    assert load_module(f"{tmp_path}/two/same_task.py").Net is two.Net


def test_a_neighbour_of_another_folder_is_not_taken_for_a_missing_one(tmp_path: Path) -> None:
    write(tmp_path / "full" / "foreign_layers.py", "WIDTH = 3")
    full = write(tmp_path / "full" / "foreign_net.py", "import foreign_layers")
    layers = load_module(full).foreign_layers
    empty = write(tmp_path / "empty" / "foreign_task.py", "import foreign_layers")
    with pytest.raises(ModuleNotFoundError):
        load_module(empty)
    assert sys.modules["foreign_layers"] is layers


def test_a_file_named_as_a_module_of_others_does_not_replace_it(tmp_path: Path) -> None:
    file = write(tmp_path / "pickle.py", "MINE = True")
    assert load_module(file).MINE
    assert sys.modules["pickle"] is pickle


def test_a_file_that_fails_leaves_nothing_and_may_be_tried_again(tmp_path: Path) -> None:
    write(tmp_path / "torn_layers.py", "WIDTH = 3")
    file = write(tmp_path / "torn_net.py", "import torn_layers\nwidth = 1 / 0")
    before = set(sys.modules)
    for _ in range(2):
        with pytest.raises(InputError, match=r"stopped on import with ZeroDivisionError"):
            import_reference(f"{file}:width")
        assert set(sys.modules) == before
    write(tmp_path / "torn_net.py", "import torn_layers\nwidth = torn_layers.WIDTH")
    assert import_reference(f"{file}:width") == 3


def test_a_neighbour_that_is_not_there_is_named_with_the_folders_that_were_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "sub" / "lonely_net.py", "import lonely_layers")
    monkeypatch.chdir(tmp_path)
    for ask in (import_reference, lambda name: build_model(name, classes=2)):
        with pytest.raises(InputError, match="'lonely_layers' is not installed") as refused:
            ask(f"{file}:network")
        assert f"in the file's folder '{tmp_path}/sub' nor in the current folder '{tmp_path}'" in (
            str(refused.value)
        )
    with pytest.raises(ModelError, match="No module named 'lonely_layers'"):
        build_model("sub/lonely_net.py:network", classes=2)


def test_a_module_that_the_program_has_imported_is_the_file(tmp_path: Path) -> None:
    """``import net`` in one's own script, and ``net.py:NAME`` given to autoprune."""
    write(tmp_path / "own_net.py", COUNTS)
    program = "import own_net; from autoprune.user_files import load_module as load; "
    program += "assert load('own_net.py') is own_net"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert executions(tmp_path) == 1
