import os
import signal
import subprocess
import sys

import pytest

from sklearn_medgan.cli import _staging
from sklearn_medgan.cli._staging import UNFINISHED, Staging


def tree(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def write(staging, path, text="new"):
    staging.path(path).write_text(text)


def test_a_new_folder_takes_its_place_by_one_renaming(tmp_path, monkeypatch):
    moved = []

    def replace(source, target):
        moved.append(target)
        os.rename(source, target)

    monkeypatch.setattr(_staging.os, "replace", replace)
    with Staging() as staging:
        for name in ("a/1", "a/2", "b/1"):
            write(staging, tmp_path / "deep" / "out" / name)
        assert not (tmp_path / "deep").exists()
        staging.commit()
    assert moved == [tmp_path / "deep"]
    assert tree(tmp_path) == {"deep"} | {f"deep/{name}" for name in ("out", *(f"out/{n}" for n in "ab"))} | {
        f"deep/out/{name}" for name in ("a/1", "a/2", "b/1")
    }


def test_without_commit_nothing_appears(tmp_path):
    with Staging() as staging:
        write(staging, tmp_path / "out" / "a")
        write(staging, tmp_path / "b")
    assert tree(tmp_path) == set()


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_move_that_fails_moves_all_back(tmp_path, monkeypatch, failing):
    def replace(source, target):
        if target == tmp_path / "abc"[failing] and "new" in source.parts:
            raise OSError("quota")
        os.rename(source, target)

    (tmp_path / "a").write_text("earlier")
    with Staging() as staging:
        for name in ("a", "b/1", "c"):
            write(staging, tmp_path / name)
        monkeypatch.setattr(_staging.os, "replace", replace)
        with pytest.raises(OSError, match="quota"):
            staging.commit()
    assert tree(tmp_path) == {"a"}
    assert (tmp_path / "a").read_text() == "earlier"


def test_while_several_things_move_the_folder_is_marked(tmp_path, monkeypatch):
    marked = []

    def replace(source, target):
        marked.append((tmp_path / UNFINISHED).exists())
        os.rename(source, target)

    monkeypatch.setattr(_staging.os, "replace", replace)
    with Staging() as staging:
        for name in "ab":
            write(staging, tmp_path / name)
        staging.commit()
    assert marked == [True, True]
    assert tree(tmp_path) == {"a", "b"}


def test_what_appears_meanwhile_stays(tmp_path):
    with Staging() as staging:
        write(staging, tmp_path / "a")
        (tmp_path / "a").write_text("other")
        with pytest.raises(FileExistsError, match="meanwhile"):
            staging.commit()
    assert (tmp_path / "a").read_text() == "other"


def test_a_replaced_file_keeps_its_mode_and_a_link_its_target(tmp_path):
    (tmp_path / "private").write_text("earlier")
    (tmp_path / "private").chmod(0o600)
    (tmp_path / "link").symlink_to("private")
    with Staging() as staging:
        write(staging, tmp_path / "link")
        staging.commit()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "private").read_text() == "new"
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["x" * 300, f"{'x' * 300}/y", "file/below"])
def test_a_name_that_cannot_be_written_is_refused_ahead(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written"), Staging() as staging:
        staging.reserve(tmp_path / name)
    assert tree(tmp_path) == {"file"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")
def test_a_special_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="no regular file"), Staging() as staging:
        staging.reserve_all([tmp_path / "pipe"], [], force=True)


@pytest.mark.skipif(_staging.fcntl is None, reason="needs locks of files")
@pytest.mark.slow
def test_copies_of_a_killed_run_are_removed_by_the_next_and_not_those_of_a_living_one(tmp_path):
    code = (
        "import pathlib, sys, time; from sklearn_medgan.cli._staging import Staging\n"
        "staging = Staging(); staging.path(pathlib.Path(sys.argv[1])).write_text('patient'); print(flush=True)\n"
        "time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a")], stdout=subprocess.PIPE) as run:
        run.stdout.readline()
        with Staging() as staging:
            write(staging, tmp_path / "b")
        assert any(tmp_path.glob(".medgan-*/new/a"))
        run.send_signal(signal.SIGKILL)
    with Staging() as staging:
        write(staging, tmp_path / "b")
    assert tree(tmp_path) == set()


def test_those_of_another_machine_are_named(tmp_path):
    (tmp_path / ".medgan-elsewhere-abc").mkdir()
    (tmp_path / ".medgan-elsewhere-abc" / "1.png").write_text("patient")
    with Staging() as staging:
        write(staging, tmp_path / "b")
    assert ".medgan-elsewhere-abc" in staging.notes[0]
    assert (tmp_path / ".medgan-elsewhere-abc" / "1.png").exists()
