"""Where a command runs, against the streams and settings that others find before and after."""

import io
import os
import subprocess
import sys

import pytest
from commands import model_file

from sklearn_medgan.cli._streams import StreamError, draw_to_files, printable, say, usable_streams


def medgan(*arguments, shell="", **options):
    """Run the command in a process of its own, by a shell where its streams are redirected."""
    line = [sys.executable, "-m", "sklearn_medgan.cli", *map(str, arguments)]
    if shell:
        line = ["sh", "-c", f'exec "$@" {shell}', "sh", *line]
    return subprocess.run(line, capture_output=True, check=False, **options)


@pytest.fixture
def model(tmp_path):
    """A model, since a command that describes one starts in an instant."""
    return model_file(tmp_path / "lung.medgan", classes=("a", "肺炎"))


@pytest.mark.parametrize(
    ("encoding", "expected"), [("cp1252", b"a, \\u80ba\\u708e"), ("ascii", b"\\u80ba"), ("utf-8", "a, 肺炎".encode())]
)
def test_what_a_code_page_lacks_is_written_out(model, encoding, expected):
    done = medgan("info", "-q", model, env={**os.environ, "PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stderr) == (0, b"")
    assert expected in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
@pytest.mark.parametrize(
    ("shell", "code", "error"),
    [
        (">&-", 0, b""),
        ("2>&-", 0, b""),
        ("<&- >&- 2>&-", 0, b""),
        ("> /dev/full", 1, b"medgan info: error: standard output cannot be written to (No space left on device)\n"),
        ("> /dev/full 2> /dev/full", 1, b""),
    ],
)
@pytest.mark.slow
def test_streams_that_are_closed_or_full_end_in_no_traceback(model, shell, code, error):
    done = medgan("info", "-q", model, shell=shell)
    assert (done.returncode, done.stderr) == (code, error)


@pytest.mark.slow
def test_a_reader_that_goes_away_ends_it_quietly(model):
    read, write = os.pipe()
    os.close(read)
    line = [sys.executable, "-m", "sklearn_medgan.cli", "info", str(model)]
    done = subprocess.run(line, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
@pytest.mark.slow
def test_a_name_of_any_bytes_is_printed(model):
    name = os.fsencode(model.parent) + b"/caf\xe9.medgan"
    os.rename(model, name)
    done = subprocess.run(
        [sys.executable, "-m", "sklearn_medgan.cli", "info", "-q", name], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"/caf\\udce9.medgan: model" in done.stdout


def test_streams_are_put_back(monkeypatch):
    narrow = io.TextIOWrapper(io.BytesIO(), "ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", narrow)
    monkeypatch.setattr(sys, "stderr", None)
    with usable_streams(own=False):
        say(sys.stdout, "±")
        say(sys.stderr, "nowhere")
    assert narrow.buffer.getvalue() == b"\\xb1\n"
    assert (sys.stdout, narrow.errors, sys.stderr) == (narrow, "strict", None)


@pytest.mark.parametrize(("error", "quiet"), [(BrokenPipeError(), True), (OSError(28, "full"), False)])
def test_an_output_that_fails_is_told_from_other_errors(error, quiet):
    class Broken(io.StringIO):
        def write(self, text):
            raise error

    with pytest.raises(StreamError) as caught:
        say(Broken(), "text")
    assert caught.value.quiet is quiet


def test_control_characters_are_written_out():
    assert printable("a\x1b[31m\nß\udce9") == "a\\x1b[31m\\nß\\udce9"


@pytest.mark.parametrize(
    ("own", "before", "after"),
    [
        (True, "tkagg", "agg"),
        (True, None, "agg"),
        (False, "tkagg", "tkagg"),
        (False, None, None),
        (False, "module://io.nothing", "module://io.nothing"),
        (False, "module://of_no_package.backend", "agg"),
    ],
)
def test_matplotlib_draws_to_files(monkeypatch, own, before, after):
    monkeypatch.setenv("MPLBACKEND", before or "")
    if before is None:
        monkeypatch.delenv("MPLBACKEND")
    draw_to_files(own=own)
    assert os.environ.get("MPLBACKEND") == after
