"""What enhanced images and synthetic rows are worth: fidelity, variety, use for a diagnosis, and privacy."""

from ._diagnosis import train_on_synthetic_score
from ._distributions import frechet_distance, kernel_distance
from ._images import psnr, ssim
from ._manifolds import precision_recall_density_coverage
from ._privacy import membership_inference_auc, memorisation_ratio
from ._privacy_report import PrivacyReport, privacy_report

__all__ = [
    "PrivacyReport",
    "frechet_distance",
    "kernel_distance",
    "membership_inference_auc",
    "memorisation_ratio",
    "precision_recall_density_coverage",
    "privacy_report",
    "psnr",
    "ssim",
    "train_on_synthetic_score",
]
