"""
=========================================================
A cross-validation, a search and a benchmark on a cluster
=========================================================

All three go through joblib, so a cluster needs one line around them: ``joblib.parallel_config``. Images are sent once
to each machine and not with each task. ``python clusters.py dask`` and ``python clusters.py ray`` start a small cluster
on this machine; name the address of yours in `dask_cluster` or `ray_cluster` instead.

Research use; not a medical device.
"""

from __future__ import annotations

import copyreg
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import joblib
import numpy as np
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from sklearn_medgan import GANAugmenter
from sklearn_medgan.benchmark import diagnostic_benchmark
from sklearn_medgan.datasets import make_nodules

N_WORKERS = 2


@contextmanager
def dask_cluster(*arrays: np.ndarray) -> Iterator[None]:
    """Use a Dask cluster, to which the arrays are scattered beforehand."""
    from distributed import Client

    # One thread a worker, because a network takes all that it gets: yours is Client("tcp://scheduler:8786").
    with (
        Client(n_workers=N_WORKERS, threads_per_worker=1, dashboard_address=None),
        joblib.parallel_config("dask", n_jobs=N_WORKERS, scatter=list(arrays)),
    ):
        yield


@contextmanager
def ray_cluster(*arrays: np.ndarray) -> Iterator[None]:
    """Use a Ray cluster, in whose object store the arrays lie: a task is sent a reference to them."""
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    ray.init(num_cpus=N_WORKERS, include_dashboard=False)  # yours is ray.init("ray://head:10001")
    stored = {id(array): ray.put(array) for array in arrays}

    def reduce(array: np.ndarray) -> tuple:
        reference = stored.get(id(array))
        return array.__reduce__() if reference is None else (ray.get, (reference,))

    copyreg.pickle(np.ndarray, reduce)
    try:
        with joblib.parallel_config("ray", n_jobs=N_WORKERS):
            yield
    finally:
        del copyreg.dispatch_table[np.ndarray]
        ray.shutdown()


CLUSTERS = {"dask": dask_cluster, "ray": ray_cluster}


def work(X: np.ndarray, y: np.ndarray, max_iter: int) -> Iterator[tuple[str, object]]:
    """Name -> result of what a study does most."""
    pipe = Pipeline([("aug", GANAugmenter(max_iter=max_iter, backbone=None, random_state=0)), ("clf", SVC(C=10))])
    yield "cross-validation", cross_val_score(pipe, X, y, cv=4)
    search = GridSearchCV(pipe, {"clf__C": [1, 10], "aug__width": [8, 16]}, cv=2, refit=False)
    yield "grid search", search.fit(X, y).best_params_
    result = diagnostic_benchmark(X, y, arms=["pixels"], classifiers=["SVC"], n_splits=2, seeds=2, n_jobs=-1)
    yield "benchmark", result.to_text()


def main(name: str, max_iter: int = 20) -> None:
    """Print results and seconds."""
    X, y = make_nodules(200, image_size=32, random_state=0, return_X_y=True)
    with CLUSTERS[name](X, y):
        begun = time.perf_counter()
        for title, result in work(X, y, max_iter):
            print(f"{title}, {time.perf_counter() - begun:.0f} s:\n{result}")
            begun = time.perf_counter()


if __name__ == "__main__":
    main(*sys.argv[1:])
