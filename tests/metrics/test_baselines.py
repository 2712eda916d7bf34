import numpy as np

from s3net_plugin.metrics.baselines import colour_transfer


def test_colour_transfer_takes_mean_and_spread_of_the_guide():
    generator = np.random.default_rng(0)
    image = generator.integers(100, 140, (64, 64, 3)).astype(np.uint8)
    guide = (generator.normal((90, 120, 150), (5, 10, 15), (48, 32, 3))).clip(0, 255).astype(np.uint8)
    moved = colour_transfer(image, guide)
    assert np.allclose(moved.mean((0, 1)), guide.mean((0, 1)), atol=0.2)
    assert np.allclose(moved.std((0, 1)), guide.std((0, 1)), atol=0.3)


def test_an_image_transferred_to_itself_is_unchanged():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert np.array_equal(colour_transfer(image, image), image)


def test_a_flat_image_becomes_the_mean_of_the_guide():
    moved = colour_transfer(np.full((8, 8, 3), 7, np.uint8), np.full((8, 8, 3), 99, np.uint8))
    assert (moved == 99).all()
