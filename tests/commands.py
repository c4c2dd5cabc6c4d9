"""Files for the commands, and what they leave behind."""

import subprocess
import sys

import numpy as np
from PIL import Image

from sklearn_medgan import cli


def images(n, shape=(9, 12), dtype=np.uint8, seed=0):
    """Draw a stack of images, values below 100."""
    return np.random.default_rng(seed).integers(0, 100, (n, *shape)).astype(dtype)


def png(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def read(path):
    with Image.open(path) as file:
        return np.asarray(file)


def contents(folder):
    """Every file below a folder: {name: bytes}."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def folders(folder):
    return {path for path in folder.rglob("*") if path.is_dir()}


def refused(capsys, command, *arguments):
    """The error line of a call that must end with code 2 and print nothing else."""
    try:
        code = cli.main([command, *map(str, arguments)])
    except SystemExit as stop:
        code = stop.code
    error = capsys.readouterr().err
    assert code == 2, error
    assert error.startswith(f"medgan {command}: error: ")
    assert error.count("\n") == 1
    return error


def modules_after(*arguments):
    """Names of the top-level modules that the command has loaded in a process of its own, and its output."""
    code = (
        "import sys; from sklearn_medgan.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print('loaded', *{name.split('.')[0] for name in sys.modules})"
    )
    line = [sys.executable, "-c", code, *map(str, arguments)]
    output, loaded = subprocess.run(line, capture_output=True, text=True, check=True).stdout.rsplit("loaded", 1)
    return set(loaded.split()), output
