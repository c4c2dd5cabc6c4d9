"""Distances between many rows, in bounded memory."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors


def nearest_distances(rows: np.ndarray, among: np.ndarray, n_neighbors: int = 1) -> np.ndarray:
    """Return the Euclidean distances (n, n_neighbors) to the nearest rows `among`, rising; 0 exactly for equal rows.

    A search by matrix products leaves rounding dust of about 1e-8 of a row's norm where rows are equal, so only the
    neighbours come from it; their distances are computed from differences.
    """
    places = nearest_places(rows, among, n_neighbors)
    distances = [np.linalg.norm(rows - among[column], axis=1) for column in places.T]
    return np.sort(np.stack(distances, axis=1), axis=1)


def nearest_places(rows: np.ndarray, among: np.ndarray, n_neighbors: int = 1) -> np.ndarray:
    centre = among.mean(axis=0)
    search = NearestNeighbors(n_neighbors=n_neighbors).fit(among - centre)
    return search.kneighbors(rows - centre, return_distance=False)


def radii(rows: np.ndarray, n_neighbors: int) -> np.ndarray:
    """Return the distance (n,) of each row to its `n_neighbors`-th nearest other row."""
    return NearestNeighbors(n_neighbors=n_neighbors).fit(rows).kneighbors()[0][:, -1]
