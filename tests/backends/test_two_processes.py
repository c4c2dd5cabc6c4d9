"""Two real processes on one machine, by what the library in use offers for it, train as one does and end as one."""

import socket
import subprocess
import sys

import numpy as np
import pytest
import two_processes

pytestmark = [pytest.mark.backend, pytest.mark.slow]


def free_port():
    """Return a port that is free, as is the one after it, most likely."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What either process came to; the second has killed itself."""
    folder, port = tmp_path_factory.mktemp("both"), free_port()
    out = [folder / f"{number}.npz" for number in (0, 1)]
    try:
        begun = []
        for number in (0, 1):
            command = [sys.executable, two_processes.__file__, str(number), str(port), str(out[number])]
            with out[number].with_suffix(".log").open("w") as log:
                begun.append(subprocess.Popen(command, stdout=log, stderr=log))
        codes = [process.wait(300) for process in begun]
    finally:
        for process in begun:
            process.kill()
    assert codes == [0, -9], [path.with_suffix(".log").read_text()[-3000:] for path in out]
    return [dict(np.load(path)) for path in out]


def test_two_processes_come_to_the_same_as_one(both):
    """Rounding grows from step to step, so of the history its first entry counts; other rows would show there."""
    alone = two_processes.results()
    for name, expected in alone.items():
        weights = name.endswith("weights")
        close = 1e-3 if weights else 0.2 if name.endswith("sample_spread") else 0.02  # the spread is the mean of two
        ours, expected = both[0][name], expected if weights else expected[:1]
        largest = np.abs(expected).max(initial=0)
        np.testing.assert_allclose(ours[: len(expected)], expected, rtol=close, atol=close * largest, err_msg=name)
        assert np.array_equal(both[1][name], both[0][name]), name


def test_what_two_processes_cannot_share_is_said(both):
    for found in both:
        assert "architecture='dcgan' normalises" in str(found["dcgan"])
        assert "multiple of 4" in str(found["batch"])
        assert "different data, parameters or random_state" in str(found["seed"])


@pytest.mark.parametrize("name", ["signal", "time"])
def test_what_ends_one_process_ends_both_at_the_same_step(both, name):
    (ours, said), (theirs, their_words) = (found[name] for found in both)
    assert int(ours) == int(theirs) >= 1
    for words in (said, their_words):
        assert ("interrupted at step" in words) == (name == "signal")


def test_whoever_loses_the_other_process_keeps_what_was_learned(both):
    n_iter, said = both[0]["killed"]
    assert int(n_iter) >= 10
    assert "lost another process" in said
    assert "killed" not in both[1]
