"""Enhancers that many tests look at and none changes, fitted once."""

import pytest
from enhancers import FLOATS, STACK, TABLE, enhancer


@pytest.fixture(scope="session")
def on_stack():
    return enhancer().fit(STACK)


@pytest.fixture(scope="session")
def on_floats():
    return enhancer().fit(FLOATS)


@pytest.fixture(scope="session")
def on_table():
    return enhancer().fit(TABLE)


@pytest.fixture(scope="session")
def larger():
    return enhancer(scale=2).fit(STACK[:, :16, :16])
