"""The same bytes from the same seed, in other processes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("small_results.py")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@pytest.mark.slow
def test_processes_of_other_hash_seeds_give_the_same_bytes(tmp_path):
    found = []
    for number in ("1", "2"):
        path = tmp_path / f"{number}.npz"
        environment = {**os.environ, "PYTHONHASHSEED": number, **dict.fromkeys(THREADS, "1")}
        subprocess.run([sys.executable, SCRIPT, path], env=environment, check=True, capture_output=True)
        found.append({name: array.tobytes() for name, array in np.load(path).items()})
    assert len(found[0]) == 12
    assert found[0] == found[1]
