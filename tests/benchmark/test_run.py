"""Runs that are killed, interrupted or parallel end with the same table, and say how far they are."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from fakes import FakeAugmenter
from protocol import CLUES, NB, TREE, FailsOn, Recorder, RecordingClassifier, X, clues, run, without_time

from sklearn_medgan.benchmark import Arm, Columns, gan_arms


@pytest.fixture(autouse=True)
def _forget():
    for log in (Recorder.fits, RecordingClassifier.calls):
        log.clear()
    FakeAugmenter.forget()


KILLED = textwrap.dedent(
    """
    import os, signal, sys, time
    sys.path[:0] = [{tests!r}, os.path.dirname({tests!r})]
    from tests.benchmark import test_run
    for moment in {moments!r}:
        child = os.fork()
        if child == 0:
            test_run.slow_run({path!r})
            os._exit(0)
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        print(open({path!r}).read().count("\\n") if os.path.exists({path!r}) else 0, flush=True)
    """
)


def slow_clues(fold, shared=None, classifier=None):
    time.sleep(0.02)
    return clues(fold)


def slow_run(path=None):
    """Some 0.5 s of cells, among them a tree, whose seed matters."""
    arms = {
        "clues": Arm("columns", slow_clues, per_classifier=True),
        **gan_arms(FakeAugmenter(noise=0.5), doses=(0, 1)),
    }
    return run(arms, {**NB, **TREE}, results=path)


def killed_and_resumed(path, moments):
    code = KILLED.format(tests=str(Path(__file__).parents[1]), path=str(path), moments=moments)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pd.testing.assert_frame_equal(without_time(slow_run(path)), without_time(slow_run()))
    return [int(line) for line in done.stdout.split()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill -9")
@pytest.mark.slow
def test_killed_runs_end_with_the_same_table(tmp_path):
    moments = np.random.RandomState(10).uniform(0.01, 0.4, 10).tolist()
    written = killed_and_resumed(tmp_path / "cells.jsonl", moments)
    assert written == sorted(written)


def interrupted_once(flag):
    """An arm in which Ctrl-C arrives, once, where training swallows it as Keras training here does."""

    def prepare(fold, shared, classifier):
        if fold.key == ("all", 1, 1) and not flag:
            flag.append(True)
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                return Columns(0 * fold.X[:, 2:] + 1, fold.y, 0 * fold.X_test[:, 2:] + 1)
        return clues(fold)

    return prepare


def test_ctrl_c_stops_and_keeps_what_is_written(tmp_path):
    path = tmp_path / "cells.jsonl"
    arms = {"clues": Arm("columns", interrupted_once([]))}
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match=r"finished cells are in .*: the same call goes on from there"):
        run(arms, results=path)
    written = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    assert ("clues", 1, 1) not in {(cell["arm"], cell["seed"], cell["fold"]) for cell in written}
    assert len(written) == 9
    pd.testing.assert_frame_equal(without_time(run(arms, results=path)), without_time(run()))
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
def test_parallel_runs_have_the_same_table(tmp_path, backend):
    arms = {"clues": CLUES, **gan_arms(FakeAugmenter(noise=0.5), doses=(0, 1)), "fragile": FailsOn(0)}
    with joblib.parallel_config(backend):
        parallel = run(arms, TREE, n_jobs=2, results=tmp_path / "cells.jsonl")
    pd.testing.assert_frame_equal(without_time(parallel), without_time(run(arms, TREE)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of a cluster that starts and stops
def test_a_dask_cluster_has_the_same_table(tmp_path):
    distributed = pytest.importorskip("distributed")
    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**settings) as cluster, distributed.Client(cluster):  # noqa: SIM117
        with joblib.parallel_config("dask"):
            result = run({"clues": CLUES, "fragile": FailsOn(0)}, results=tmp_path / "cells.jsonl")
    pd.testing.assert_frame_equal(without_time(result), without_time(run({"clues": CLUES, "fragile": FailsOn(0)})))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of a cluster that starts and stops
def test_rows_scattered_to_a_dask_cluster_are_sent_once_for_several_benchmarks(monkeypatch):
    distributed = pytest.importorskip("distributed")
    sent, scatter = [], distributed.Client.scatter

    def recorded(client, data, **how):
        sent.extend(part for part in (data if isinstance(data, list) else [data]) if np.shape(part) == X.shape)
        return scatter(client, data, **how)

    monkeypatch.setattr(distributed.Client, "scatter", recorded)
    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**settings) as cluster, distributed.Client(cluster):  # noqa: SIM117
        with joblib.parallel_config("dask", scatter=[X]):
            for _ in range(2):
                run()
    assert len(sent) == 1


def test_progress_says_what_is_done_and_what_is_left(capsys, tmp_path):
    run(verbose=1, results=tmp_path / "cells.jsonl")
    lines = capsys.readouterr().err.splitlines()
    assert "| 0/12 [" in lines[0]
    assert re.search(r"100%.* 12/12 \[.*all, seed 1, fold 2, ", lines[-1])
    run(verbose=1, results=tmp_path / "cells.jsonl")
    assert "| 12/12 [" in capsys.readouterr().err
    run()
    assert capsys.readouterr().err == ""
