"""Which columns stay in the process."""

from __future__ import annotations

import numpy as np

from sklearn_medgan.augmentation._column_cache import OVERHEAD, ColumnCache

SIZE = 4 * 10 + OVERHEAD  # of one vector


def vector(value):
    return np.full(10, value, np.float32)


def filled(keys, n_vectors=3):
    cache = ColumnCache()
    for key in keys:
        cache.put(key, vector(ord(key)), n_vectors * SIZE)
    return cache


def kept(cache, keys="abcdef"):
    return "".join(key for key in keys if cache.get(key) is not None)


def test_what_was_put_is_got():
    np.testing.assert_array_equal(filled("ab").get("a"), vector(ord("a")))
    assert filled("ab").get("c") is None


def test_the_least_recently_used_is_dropped():
    cache = filled("abc")
    cache.get("a")
    cache.put("d", vector(0), 3 * SIZE)
    assert kept(cache) == "acd"


def test_a_key_put_twice_counts_once():
    cache = filled("aab")
    assert (len(cache), cache.n_bytes) == (2, 2 * SIZE)


def test_a_smaller_bound_drops_what_is_beyond_it():
    cache = filled("abc")
    cache.put("d", vector(0), 2 * SIZE)
    assert kept(cache) == "cd"
    cache.put("e", vector(0), SIZE - 1)
    assert (kept(cache), cache.n_bytes) == ("", 0)


def test_a_part_of_a_larger_array_does_not_keep_the_whole():
    cache = ColumnCache()
    whole = np.zeros((1000, 10), np.float32)
    cache.put("a", whole[3], 1e6)
    whole[3] = 1
    assert cache.get("a").base is None
    assert not cache.get("a").any()


def test_clear_forgets():
    cache = filled("abc")
    cache.clear()
    assert (len(cache), cache.n_bytes) == (0, 0)
