"""The options of each command, and what their values may be."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

MOST = 2**31 - 1  # of whole numbers that reach TensorFlow
LARGEST = 4096  # pixels a side


def add_commands(commands: Any) -> None:
    """Add every command to what ``add_subparsers`` returned."""
    for add in (_add_demo, _add_benchmark, _add_augment, _add_enhance, _add_info):
        command = add(commands)
        command.add_argument("-q", "--quiet", action="store_true", help="show results, notes and errors alone")
        command.add_argument("--json", action="store_true", help="print the result as JSON; the rest is on stderr")


def _add_demo(commands: Any) -> Any:
    demo = commands.add_parser(
        "demo",
        help="compare an SVC alone with image features, synthetic and enhanced images in front of it",
        description="Compare by cross-validation an SVC alone, one on the columns of a pretrained network, a GAN in "
        "front of it in scikit-learn's Pipeline, and in sklearn_medgan's Pipeline, which also adds training rows, on "
        "all rows and with a class made rare; then noisy test images, as they are and restored. Without --data it "
        "runs on real data that comes with scikit-image and scikit-learn, in a few minutes.",
    )
    demo.add_argument(
        "--data",
        metavar="PATH",
        help="your own images: a folder with one subfolder per class, a CSV file with path, label and patient, "
        "or an .npz file of X, y and where known group, or in MedMNIST's form; PNG, JPEG, TIFF, DICOM, NIfTI",
    )
    demo.add_argument("--out", metavar="DIR", default="medgan_demo", help="folder for the reports (%(default)s)")
    demo.add_argument(
        "--max-iter", metavar="N", type=_whole(1), help="updates of each network (80 on images, 150 to enhance them)"
    )
    demo.add_argument(
        "--image-size",
        metavar="N",
        type=_whole(8, LARGEST),
        default=224,
        help="reduce larger images to this many pixels a side, and resize those of several sizes (%(default)s)",
    )
    demo.add_argument(
        "--seed", metavar="N", type=_whole(0), default=0, help="decides splits and training (%(default)s)"
    )
    demo.add_argument(
        "--jobs", metavar="N", type=_whole(1, 1024), help="processes of 1 GB each (a core each, at most 2)"
    )
    _add_reading(demo)
    demo.set_defaults(name="demo")
    return demo


def _add_benchmark(commands: Any) -> Any:
    compare = commands.add_parser(
        "benchmark",
        help="does it help a diagnosis? arms of rows and columns compared by one protocol",
        description="Compare ways to prepare rows for a classifier, by cross-validation by group, with intervals and a "
        "verdict in words. Without --data: three sets that need no download (simulated nodules, patches of a retina, "
        "the breast-cancer table), with fewer folds, seeds and updates than the protocol, in a few minutes. With "
        "--data: the protocol, which takes hours; it goes on where it was stopped. Research use; not a medical device.",
    )
    compare.add_argument(
        "--data",
        metavar="PATH",
        help="your own images: a folder with one subfolder per class, a CSV file with path, label and patient, "
        "or an .npz file of X, y and where known group, or in MedMNIST's form, whose test rows are left out",
    )
    _add_benchmark_plan(compare)
    _add_benchmark_files(compare)
    _add_reading(compare)
    compare.set_defaults(name="benchmark")
    return compare


def _add_benchmark_plan(compare: Any) -> None:
    plan = compare.add_argument_group("what is compared")
    plan.add_argument(
        "--arms",
        metavar="NAME[,NAME]",
        action="append",
        help="an arm, as --list-arms names it, or one of the kinds rows, columns, enhancement; may be repeated; "
        "'fine-tuned network' runs only by its name (rows,columns; without --data a choice)",
    )
    plan.add_argument("--list-arms", action="store_true", help="list what can be compared, and end")
    plan.add_argument("--classifiers", metavar="NAME[,NAME]", help="of SVC, forest, logistic (all; else SVC,forest)")
    plan.add_argument(
        "--per-class", metavar="N[,N]", type=_per_class, help="training rows a class, as 25,100,all (all)"
    )
    plan.add_argument(
        "--rare", metavar="LABEL", action="append", help="also with this class made rare; may be repeated"
    )
    plan.add_argument(
        "--n-rare", metavar="N", type=_whole(2), default=20, help="training rows of a rare class (%(default)s)"
    )
    plan.add_argument(
        "--diseased",
        metavar="LABEL",
        action="append",
        help="a class that counts as diseased, for sensitivity and specificity; may be repeated (a rare class, else "
        "the second of two, else none)",
    )
    plan.add_argument("--folds", metavar="N", type=_whole(2), help="folds by group (4; without --data 2)")
    plan.add_argument(
        "--seeds", metavar="N|N,N", type=_seeds, help="a count, or seeds as 0,1,2; '7,' for one (3; without --data 1)"
    )
    plan.add_argument(
        "--max-iter", metavar="N", type=_whole(1), help="updates of each network (default; without --data 80 on images)"
    )
    _add_networks(plan, "of the GAN's arms, and of transfer learning")
    plan.add_argument(
        "--image-size",
        metavar="N",
        type=_whole(8, LARGEST),
        help="reduce larger images to this many pixels a side, and resize those of several sizes (as they are)",
    )


def _add_benchmark_files(compare: Any) -> None:
    files = compare.add_argument_group(
        "files", "Without --data there is a file for each set, with its name in the file's."
    )
    files.add_argument(
        "--out", metavar="FILE", help="results, JSON lines (medgan_benchmark.jsonl; without --data none)"
    )
    files.add_argument(
        "--resume", action="store_true", help="go on with a results file, and replace what is made of it"
    )
    files.add_argument(
        "--report", metavar="FILE", help="also a report: .html, the whole of it in one file; .md or .json, its table"
    )
    files.add_argument(
        "--show-images",
        metavar="N",
        type=_whole(0, 20),
        default=4,
        help="images of yours in a report in .html, of each class beside synthetic ones, or before and after "
        "enhancement; 0 for none (%(default)s)",
    )
    files.add_argument("--picture", metavar="FILE", help="also a picture of the intervals: .png, .svg or .pdf")
    files.add_argument("--jobs", metavar="N", type=_whole(1, 1024), help="processes (1)")


def _add_enhance(commands: Any) -> Any:
    enhance = commands.add_parser(
        "enhance",
        help="restore poor images with a saved model, or one learned from images",
        description="Restore poor images: noisy, blurred, of low dose or low resolution. The model is a saved one, or "
        "is learned first: from good images of the same kind, which it degrades itself (--good); from IN and good "
        "images of others, as of another scanner (--reference); or from IN alone, where all of it is noisy (--self). "
        "Research use; not a medical device.",
    )
    enhance.add_argument(
        "source",
        metavar="IN",
        help="a PNG, TIFF or JPEG file, an .npz file (X, or MedMNIST's form), or a folder of images, also with one "
        "subfolder per class",
    )
    enhance.add_argument("out", metavar="OUT", help="file or folder, as IN; the suffix of a file gives its format")
    model = enhance.add_mutually_exclusive_group(required=True)
    model.add_argument("--model", metavar="FILE", help="a GANEnhancer that sklearn_medgan.save or --save wrote")
    model.add_argument("--good", metavar="PATH", help="good images to learn from: file or folder, as IN")
    model.add_argument(
        "--reference", metavar="PATH", help="good images of others, to learn from beside IN: file or folder, as IN"
    )
    model.add_argument(
        "--self",
        dest="alone",
        action="store_true",
        help="learn from IN alone: noisy images, whose pixels err independently",
    )
    _add_learning(enhance)
    enhance.add_argument("--force", action="store_true", help="replace files that are there")
    enhance.add_argument(
        "--uncertainty",
        action="store_true",
        help="also write the standard deviation of the error, NAME_uncertainty.tif",
    )
    enhance.add_argument("--picture", metavar="FILE.png", help="also draw a few images before and after")
    _add_files_alone(enhance)
    enhance.set_defaults(name="enhance")
    return enhance


def _add_learning(enhance: Any) -> None:
    fit = enhance.add_argument_group("learning")
    _add_image_size(fit)
    fit.add_argument(
        "--degradation",
        metavar="NAME[,NAME]",
        help="how images are poor, for --good: noise, blur, low_dose_ct, ... (auto)",
    )
    fit.add_argument("--scale", metavar="N", type=_whole(1, 4), help="enlarge this many times, for --good (1)")
    fit.add_argument(
        "--max-time", metavar="SECONDS", type=_number("a number of seconds"), help="stop learning then (300)"
    )
    fit.add_argument("--max-iter", metavar="N", type=_whole(1), help="training steps (auto: 4000)")
    fit.add_argument("--seed", metavar="N", type=_whole(0), help="decides the training (0)")
    fit.add_argument("--save", metavar="FILE", help="keep the model, for --model")
    _add_checkpoint(fit)


def _add_augment(commands: Any) -> Any:
    augment = commands.add_parser(
        "augment",
        help="add synthetic images to a labelled set, so that its classes are balanced",
        description="Add synthetic images to a labelled set, so that its classes are balanced: a GAN learns from the "
        "images, and draws more of the rarer classes. Originals stay as they are; a manifest tells which images are "
        "synthetic. Give it training images only. Research use; not a medical device.",
    )
    augment.add_argument(
        "source",
        metavar="IN",
        help="a folder with one subfolder per class, a CSV file with path, label and patient, or an .npz file of "
        "X and y, or in MedMNIST's form; where there are splits, the training images are used",
    )
    augment.add_argument("out", metavar="OUT", help="a new folder, or a file that ends in .npz")
    _add_image_size(augment)
    augment.add_argument(
        "--ratio",
        metavar="R",
        type=_number("a number"),
        default=1.0,
        help="lift each class to R times the largest (%(default)s: balance only)",
    )
    augment.add_argument("--max-iter", metavar="N", type=_whole(1), help="updates of the GAN (300)")
    _add_networks(augment, "of the model that --save keeps")
    seconds = _number("a number of seconds")
    augment.add_argument("--max-time", metavar="SECONDS", type=seconds, help="stop learning then (no limit)")
    augment.add_argument(
        "--seed",
        metavar="N",
        type=_whole(0),
        default=0,
        help="decides the training and what is drawn (%(default)s)",
    )
    _add_min_distance(augment)
    augment.add_argument(
        "--model", metavar="FILE", help="draw by a GANAugmenter that sklearn_medgan.save or --save wrote; no learning"
    )
    augment.add_argument("--save", metavar="FILE", help="keep the model, for --model")
    _add_checkpoint(augment)
    augment.add_argument("--only-synthetic", action="store_true", help="leave the original images out of OUT")
    augment.add_argument("--force", action="store_true", help="replace files that are there")
    _add_reading(augment)
    augment.set_defaults(name="augment")
    return augment


def _add_min_distance(augment: Any) -> None:
    augment.add_argument(
        "--min-distance",
        metavar="D",
        type=_number("a distance", zero=True),
        default=0.5,
        help="draw again what lies within D of the usual distance between originals, and leave out what stays there; 0 "
        "for no such check (%(default)s)",
    )


def _add_files_alone(command: Any) -> Any:
    """What files there are, and which slices of them; the rest of `_add_reading` would change what is written."""
    group = command.add_argument_group("reading")
    group.add_argument("--axis", choices=("axial", "coronal", "sagittal"), help="slices of NIfTI volumes (axial)")
    group.add_argument(
        "--skip-unreadable", action="store_true", help="leave out files that cannot be read, and name each"
    )
    return group


def _add_reading(command: Any) -> None:
    """How image files become arrays; parameters of `load_images`."""
    group = _add_files_alone(command)
    group.add_argument("--channels", metavar="N", type=int, choices=(1, 3), help="make all images grey (1) or RGB (3)")
    group.add_argument(
        "--groups",
        metavar="HOW",
        help="what tells patients apart: subfolder, a column or array, or a regular expression on the path (found)",
    )
    group.add_argument(
        "--window", metavar="C,W", type=_window, help="grey values to keep, center and width; or file, as DICOM says"
    )
    group.add_argument("--path-column", metavar="NAME", help="column of a CSV manifest that names files (found)")
    group.add_argument("--label-column", metavar="NAME", help="its column of diagnoses, or the array in .npz (found)")


def _add_networks(command: Any, of_what: str) -> None:
    command.add_argument(
        "--gan-size",
        metavar="N",
        type=_whole(8, LARGEST),
        help="the GAN works on images of at most this many pixels a side (64)",
    )
    command.add_argument(
        "--backbone",
        metavar="NAME",
        help=f"pretrained network for the columns {of_what}: one of keras.applications, or none (EfficientNet-Lite0)",
    )


def _add_checkpoint(command: Any) -> None:
    command.add_argument(
        "--checkpoint-dir",
        metavar="DIR",
        help="folder in which learning keeps its state (no image): the same command, begun again after it was killed, "
        "goes on from there",
    )


def _add_image_size(command: Any) -> None:
    command.add_argument(
        "--image-size",
        metavar="N",
        type=_whole(8, LARGEST),
        help="resize the images to N x N pixels first, as those of several sizes must be (as they are)",
    )


def _add_info(commands: Any) -> Any:
    info = commands.add_parser(
        "info",
        help="tell what a data file, a folder of images or a saved model holds",
        description="Tell what a data file, a folder of images or a saved model holds. Nothing in it is run: no pickle "
        "is opened, and no network is built.",
    )
    info.add_argument(
        "file", metavar="FILE", help="an .npz file, an image, a folder of images, or what sklearn_medgan.save wrote"
    )
    info.set_defaults(name="info")
    return info


def _whole(low: int, high: int = MOST) -> Callable[[str], int]:
    """An argument type: whole numbers from `low` to `high`."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected a whole number of {low} to {high}; got {text!r}")
        return value

    return convert


def _number(what: str, *, zero: bool = False) -> Callable[[str], float]:
    """An argument type: finite numbers above zero, or with `zero` from there on."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not (0 < value < float("inf") or (zero and value == 0)):
            raise argparse.ArgumentTypeError(f"expected {what} {'of at least' if zero else 'above'} 0; got {text!r}")
        return value

    return convert


def _window(text: str) -> tuple[float, float] | str:
    """An argument type: center and width of a window, or "file"."""
    if text == "file":
        return text
    try:
        center, width = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a center and a width as 40,400, or file; got {text!r}") from None
    return center, width


def _per_class(text: str) -> list[int | str]:
    """An argument type: "all" or whole numbers from 2 up, separated by commas."""
    return [part if part == "all" else _whole(2)(part) for part in map(str.strip, text.split(","))]


def _seeds(text: str) -> list[int]:
    """An argument type: how many seeds, or which; a comma makes one number a seed."""
    if "," not in text:
        return list(range(_whole(1, 1000)(text)))
    return [_whole(0)(part) for part in text.strip().removesuffix(",").split(",")]
