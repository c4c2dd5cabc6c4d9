"""Estimators in threads, in workers and in forked processes, and what they leave in memory."""

import functools
import gc
import os
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from joblib import parallel_config
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC
from small_fits import TINY, X, fit, fit_enhancer, y
from tiny import gan as tiny_gan
from tiny import random_images

from sklearn_medgan import GANAugmenter, make_pipeline
from sklearn_medgan.gan import training

AFTER_A_FORK = """
import os, numpy as np
from sklearn_medgan import GANAugmenter
X = np.random.RandomState(0).normal(size=(40, 3))
gan = GANAugmenter(max_iter=1, width=4, random_state=0).fit(X)
gan.transform(X)
child = os.fork()
if not child:
    for call in (gan.transform, GANAugmenter(max_iter=1, width=5).fit):
        try:
            call(X)
        except RuntimeError as error:
            print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


def test_eight_threads_transform_and_draw_what_one_does():
    gan, enhancer = fit(), fit_enhancer()
    together = threading.Barrier(8)

    def work(seed):
        together.wait(60)
        return [gan.transform(X), *gan.sample(5, random_state=seed), enhancer.sample(X[:3], 2, random_state=seed)]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(8)))
    for seed, got in enumerate(found):
        expected = [gan.transform(X), *gan.sample(5, random_state=seed), enhancer.sample(X[:3], 2, random_state=seed)]
        assert all(map(np.array_equal, got, expected))


def test_fits_in_two_threads_are_those_of_one_after_the_other():
    together = threading.Barrier(2)

    def work(begin):
        together.wait(60)
        return begin(random_state=1).transform(X)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(work, (fit, fit_enhancer)))
    assert all(
        map(np.array_equal, found, [fit(random_state=1).transform(X), fit_enhancer(random_state=1).transform(X)])
    )


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
def test_folds_in_two_workers_score_as_in_one(backend):
    model = make_pipeline(GANAugmenter(**TINY, max_iter=5), SVC())
    with parallel_config(backend, n_jobs=2):
        found = cross_val_score(model, X, y, cv=2, error_score="raise")
    assert np.array_equal(found, cross_val_score(model, X, y, cv=2, error_score="raise"))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_after_a_fork_a_call_is_refused_at_once():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", AFTER_A_FORK], stdout=-1, text=True, timeout=120)
    assert [line.startswith("TensorFlow ran before this process was forked") for line in done.stdout.splitlines()] == [
        True,
        True,
    ]


def live_graphs():
    return {id(item): weakref.ref(item) for item in gc.get_objects() if isinstance(item, tf.Graph)}


@pytest.mark.parametrize("kind", ["table", pytest.param("images", marks=pytest.mark.slow)])
def test_a_program_that_left_the_cache_leaves_no_graph(kind, monkeypatch):
    """Of which hundreds of fits would fill the memory."""
    cache = functools.lru_cache(1)(training._program_of.__wrapped__)
    monkeypatch.setattr(training, "_program_of", cache)
    before = live_graphs()
    gan = fit(max_iter=1) if kind == "table" else tiny_gan(max_iter=1).fit(random_images(12, 8, 8), np.arange(12) % 2)
    gan.sample(2)
    made = [graph for key, graph in live_graphs().items() if key not in before]
    assert made
    del gan
    cache.cache_clear()
    gc.collect()
    assert [graph() is None for graph in made] == [True] * len(made)
