"""Rows of tables for tests."""

import numpy as np


def rows(seed, n=200, d=4, scale=1.0, shift=0.0):
    """Draw rows of a standard normal distribution, scaled and shifted."""
    return scale * np.random.RandomState(seed).standard_normal((n, d)) + shift


def one_mode(n=200, d=4):
    """Draw from a generator that has collapsed: hardly any spread, about one real row."""
    return rows(0, d=d)[:1] + 0.01 * rows(9, n, d)
