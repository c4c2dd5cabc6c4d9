"""Files for the commands, and what they leave behind."""

import json
import re
import subprocess
import sys
import zipfile

import numpy as np
from PIL import Image

from sklearn_medgan import __version__, cli


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


def model_file(path, parameters=None, changed=("width",), fitted=None, classes=("ill", "well"), **header):
    """A file in the form that `save` writes, made by hand."""
    fitted = {"image_shape_": {"$": "tuple", "items": [8, 9, 1]}, "n_iter_": 12} if fitted is None else fitted
    contents = {
        "format": "sklearn_medgan",
        "format_version": 1,
        "package_version": __version__,
        "estimator": "GANAugmenter",
        "parameters": {"width": 4, "ratio": 2.0} if parameters is None else parameters,
        "fitted": {**fitted, "classes_": {"$": "array", "index": 0}},
        "fit_request": {},
        "changed": list(changed),
        **header,
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", json.dumps(contents))
        with archive.open("arrays/0.npy", "w") as member:
            np.lib.format.write_array(member, np.array(classes))
    return path


def contents(folder):
    """Every file below a folder: {name: bytes}."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def folders(folder):
    return {path for path in folder.rglob("*") if path.is_dir()}


def refused(capsys, command, *arguments):
    """The error line of a call that must end with code 2 and show no result."""
    try:
        code = cli.main([command, *map(str, arguments)])
    except SystemExit as stop:
        code = stop.code
    out, told = capsys.readouterr()
    error = told.splitlines()[-1]
    assert code == 2, told
    assert error.startswith(f"medgan {command}: error: ")
    assert [line for line in out.splitlines() if not re.match("Learning to (draw|restore)", line)] == []
    assert "Traceback" not in told
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
