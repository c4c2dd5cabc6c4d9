"""The GAN engine: networks, objectives, augmentation and the training step. Importing it imports Keras."""

from .._backend import check_backend, share_cores

check_backend()
share_cores()
