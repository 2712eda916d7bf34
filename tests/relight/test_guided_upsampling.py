import cv2
import numpy as np
import pytest

from s3net_plugin.relight.guided_upsampling import RIDGE, guided_upsample, light_gain


def shrunk(pixels, size):
    return cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / np.iinfo(pixels.dtype).max


def psnr(a, b):
    return -10 * np.log10(np.mean((a / 255.0 - b / 255.0) ** 2))


@pytest.mark.parametrize(('size', 'margin'), [((64, 64), 1.5), ((128, 128), 0.7)])
def test_beats_plain_resize_on_rendered_scene(scene, size, margin, capsys):
    small, ideal = shrunk(scene['input'], size), shrunk(scene['target'], size)
    side = scene['input'].shape[1::-1]
    resized = {
        name: psnr(np.clip(cv2.resize(ideal, side, interpolation=how), 0, 1) * 255, scene['target'])
        for name, how in (('linear', cv2.INTER_LINEAR), ('cubic', cv2.INTER_CUBIC), ('Lanczos', cv2.INTER_LANCZOS4))
    }
    transferred = psnr(guided_upsample(scene['input'], small, ideal), scene['target'])
    with capsys.disabled():
        resizes = ', '.join(f'{name} resize {value:.2f}' for name, value in resized.items())
        print(f'\n  a perfect network at {size[0]} px, to 256 px: light transfer {transferred:.2f} dB, {resizes}')
    assert transferred > max(resized.values()) + margin


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_unchanged_light_gives_the_photo_back(dtype):
    photo = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (150, 201, 3), dtype=dtype, endpoint=True)
    small = shrunk(photo, (32, 43))
    assert np.abs(guided_upsample(photo, small, small).astype(int) - photo).max() <= np.iinfo(dtype).max * 1e-4


def test_smooth_light_multiplies_every_detail(scene):
    """Light that changes slowly is the same at every size, so the true result is known at full size."""
    photo = scene['input']
    height, width = photo.shape[:2]
    light = (0.4 + 0.5 * np.linspace(0, 1, width, dtype=np.float32))[None, :, None] * np.float32([1, 0.8, 0.6])
    truth = photo * light
    small = shrunk(photo, (64, 64))
    small_light = shrunk(np.rint(np.tile(light, (height, 1, 1)) * 255).astype(np.uint8), (64, 64))
    result = guided_upsample(photo, small, small * small_light)
    assert np.abs(result - truth).mean() < 1.5
    assert psnr(result.astype(float), truth) > 38


def test_gain_is_the_ridge_regression_of_each_window():
    rng = np.random.default_rng(3)
    small, relit = rng.random((2, 7, 8, 3), dtype=np.float32)
    gain = light_gain(small, relit)
    for y, x, c in ((3, 4, 0), (1, 1, 1), (5, 6, 2)):
        a, b = (m[y - 1 : y + 2, x - 1 : x + 2, c].ravel().astype(float) for m in (small, relit))
        ratio = (b.mean() + 0.02) / (a.mean() + 0.02)
        # least squares of b - mean over a - mean with one more row that asks for the ratio
        rows = np.append(a - a.mean(), np.sqrt(9 * RIDGE))[:, None]
        wanted = np.append(b - b.mean(), np.sqrt(9 * RIDGE) * ratio)
        np.testing.assert_allclose(gain[y, x, c], np.linalg.lstsq(rows, wanted)[0][0], rtol=1e-4)


def test_strips_join_without_seams(scene):
    photo = np.repeat(np.repeat(scene['input'], 2, axis=0), 2, axis=1)[:333]
    small = shrunk(photo, (50, 77))
    relit = np.clip(small[::-1] * 0.7, 0, 1)
    maps = np.dstack((relit, small, light_gain(small, relit)))
    whole = [cv2.resize(maps[..., i : i + 3], photo.shape[1::-1], interpolation=cv2.INTER_LINEAR) for i in (0, 3, 6)]
    expected = np.clip(whole[0] + whole[2] * (photo / 255 - whole[1]), 0, 1) * 255
    assert np.abs(guided_upsample(photo, small, relit) - expected).max() < 0.51
