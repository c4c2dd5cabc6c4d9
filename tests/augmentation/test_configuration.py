"""What "auto" stands for."""

import pytest

from sklearn_medgan import GANAugmenter
from sklearn_medgan.augmentation._configuration import configure

GREY, COLOUR, SMALL = (32, 32, 1), (32, 32, 3), (16, 16, 1)


@pytest.mark.parametrize(
    ("shape", "changed", "augmented", "penalty"),
    [
        (GREY, {}, 0.0, 0.1),
        (GREY, {"pretrained": None}, 1.0, 0.02),
        (GREY, {"width": 16}, 1.0, 0.02),
        (GREY, {"augment": ["shift", "contrast"]}, 1.0, 0.1),
        (GREY, {"penalty_weight": 0.3}, 0.0, 0.3),
        (GREY, {"loss": "wasserstein"}, 0.0, 1.0),
        (COLOUR, {}, 0.0, 0.3),  # stated for 32x32 values
        (COLOUR, {"pretrained": None}, 1.0, 0.06),
        (SMALL, {}, 1.0, 0.005),
    ],
    ids=str,
)
def test_both_players_see_rows_in_their_place_where_training_starts_from_the_gan_that_ships(
    shape, changed, augmented, penalty
):
    config, hyper = configure(GANAugmenter(**changed), False, shape, 2, True)
    assert (hyper.augmented, hyper.r1_weight) == pytest.approx((augmented, penalty))
    assert config.augment == ("shift", "contrast")
