"""How a run of any command ends, and in which words."""

import contextlib
import signal
import threading
import warnings
from argparse import Namespace
from types import SimpleNamespace

import pytest

from sklearn_medgan import cli
from sklearn_medgan._parameters import ParameterError
from sklearn_medgan.cli import _info
from sklearn_medgan.cli._session import OPTIONS, AboutError, about, reading, run, worded


@pytest.fixture
def ends(monkeypatch):
    """Run `medgan info` with another body; returns its exit code."""

    def end(body):
        monkeypatch.setattr(_info, "run", body)
        return run(Namespace(name="info", quiet=False, json=False))

    return end


def stopped_by(number):
    def body(options, session):
        signal.raise_signal(number)

    return body


def failing(error):
    def body(options, session):
        raise error

    return body


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        (lambda options, session: 0, 0, ""),
        (failing(ValueError("bad\n  input")), 2, "medgan info: error: bad input\n"),
        (failing(FileNotFoundError(2, "gone")), 2, "medgan info: error: [Errno 2] gone\n"),
        (failing(ImportError("no package")), 1, "medgan info: error: no package\n"),
        (failing(MemoryError()), 1, "medgan info: error: MemoryError\n"),
        (failing(BrokenPipeError()), 1, ""),
        (failing(KeyboardInterrupt()), 130, "medgan: interrupted\n"),
        (stopped_by(signal.SIGINT), 130, "medgan: interrupted\n"),
        (stopped_by(signal.SIGTERM), 143, "medgan: stopped by SIGTERM\n"),
    ],
)
def test_each_end_has_its_code_and_its_line(ends, capsys, body, code, told):
    assert ends(body) == code
    assert capsys.readouterr().err == told


def test_a_signal_that_training_swallows_stops_the_command_and_its_files(ends, tmp_path):
    def fit():
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)

    def body(options, session):
        session.staging.path(tmp_path / "out").write_text("new")
        session.learn(SimpleNamespace(fit=fit), "rows")
        pytest.fail("it goes on")

    assert ends(body) == 143
    assert not list(tmp_path.iterdir())


def test_a_signal_while_files_move_comes_too_late(ends, tmp_path, monkeypatch):
    def body(options, session):
        session.staging.path(tmp_path / "out").write_text("new")
        commit = session.staging.commit
        monkeypatch.setattr(session.staging, "commit", lambda: (signal.raise_signal(signal.SIGINT), commit()))
        session.finish("", "", "")
        return 0

    assert ends(body) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_notes_are_told_once_and_those_for_developers_not_at_all(ends, capsys):
    def body(options, session):
        for _ in range(2):
            warnings.warn("of another range", UserWarning, stacklevel=1)
            warnings.warn("old name", DeprecationWarning, stacklevel=1)
        session.finish("", "Research use.", "medgan info FILE")
        return 0

    assert ends(body) == 0
    out, error = capsys.readouterr()
    assert out == "0 file(s) written. Research use.\n"
    assert error == "note: of another range\n0 s in all. Next: medgan info FILE\n"


@pytest.mark.parametrize("parameter", OPTIONS)
def test_no_parameter_of_python_reaches_the_user(parameter):
    error = ParameterError(parameter, "must be 2", "1", f"Pass {parameter}=2.")
    option, words, advice = OPTIONS[parameter]
    known = Namespace(**{option[2:].replace("-", "_"): None}) if option else Namespace()
    assert worded(error, known) == f"{option or words} must be 2; got 1. {advice}".strip()
    if option:
        assert worded(error, Namespace()) == f"{words} must be 2; got 1."


@pytest.mark.parametrize(
    ("advice", "told"), [(None, "Lower --folds, or give finer groups (--groups)."), ("Do so.", "Do so.")]
)
def test_errors_are_about_something(advice, told):
    with pytest.raises(AboutError) as caught, about("scans", advice):
        raise ParameterError("n_splits", "must be 2", "1", "Lower n_splits.")
    assert worded(caught.value, Namespace(folds=2)) == f"scans: --folds must be 2; got 1. {told}"


@pytest.mark.parametrize("error", [NotImplementedError("compression"), RecursionError(), KeyError("X")])
def test_damage_of_every_kind_is_an_error_of_the_file(error):
    with pytest.raises(ValueError, match=rf"^scan\.npz cannot be read \({type(error).__name__}"), reading("scan.npz"):
        raise error


def test_it_runs_in_a_thread(tmp_path, capsys):
    codes = []
    worker = threading.Thread(target=lambda: codes.append(cli.main(["info", str(tmp_path / "gone")])))
    worker.start()
    worker.join()
    assert codes == [2]
    assert "There is no file" in capsys.readouterr().err
