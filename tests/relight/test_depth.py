import time

import cv2
import numpy as np
import pytest
import torch

from s3net_plugin.relight.depth import (
    DEFAULT_MODEL,
    DepthEstimator,
    depth_from_disparity,
    depth_from_metric,
    describe_markers,
    describe_unmatched,
    model_folder,
    read_depth,
    read_map,
    write_depth,
)
from s3net_plugin.utils import download
from tests.relight.pictures import smooth_noise


def scene_depth():
    depth = np.random.default_rng(0).uniform(2, 6, (12, 16))
    depth.flat[:2] = 2, 6
    return depth


@pytest.mark.parametrize(('factor', 'offset'), [(1, 0), (250, -30), (0.01, 5)])
def test_disparity_of_any_factor_and_offset_gives_the_depth_back(factor, offset):
    depth = scene_depth()
    disparity = factor / depth + offset
    result = depth_from_disparity(disparity, far_over_near=3)
    np.testing.assert_allclose(result, (depth - 2) / 4, atol=1e-5)
    assert result.dtype == np.float32


def test_disparity_near_ratio_one_is_mirrored():
    disparity = np.linspace(3, 5, 12).reshape(3, 4)
    np.testing.assert_allclose(depth_from_disparity(disparity, 1.0001), (5 - disparity) / 2, atol=1e-4)


@pytest.mark.parametrize('sky', [np.nan, np.inf, -np.inf])
def test_disparity_that_is_not_finite_is_the_farthest_and_named(sky):
    depth = scene_depth()
    disparity = 1 / depth
    assert describe_unmatched(disparity) is None
    disparity[:3] = sky
    result = depth_from_disparity(disparity, far_over_near=depth[3:].max() / depth[3:].min())
    np.testing.assert_array_equal(result[:3], 1)
    np.testing.assert_allclose(result[3:], (depth[3:] - depth[3:].min()) / np.ptp(depth[3:]), atol=1e-5)
    assert describe_unmatched(disparity) == '25% of it is not finite and counts as the farthest'


def test_unknown_metric_depth_becomes_0():
    metric = depth_from_metric(np.float32([[2, 4, np.nan], [0, 3, -1]]))
    np.testing.assert_allclose(metric, [[0, 1, 0], [0, 0.5, 0]])


def test_flat_maps_are_near_and_empty_ones_refused():
    np.testing.assert_array_equal(depth_from_disparity(np.full((3, 4), 7.0)), 0)
    np.testing.assert_array_equal(depth_from_metric(np.full((3, 4), 7.0)), 0)
    with pytest.raises(ValueError, match='finite'):
        depth_from_disparity(np.full((3, 4), np.nan))
    with pytest.raises(ValueError, match='finite and positive'):
        depth_from_metric(np.zeros((3, 4)))
    for ratio in (1, np.nan, np.inf):
        with pytest.raises(ValueError, match='more than 1'):
            depth_from_disparity(np.ones((3, 4)), ratio)


def write_pfm(path, values):
    header = f'Pf\n{values.shape[1]} {values.shape[0]}\n-1\n'.encode()
    path.write_bytes(header + np.flipud(values).astype('<f4').tobytes())


def test_maps_of_any_range_are_read_from_every_format(tmp_path):
    values = (scene_depth() * 100).astype(np.float32)
    np.save(tmp_path / 'a.npy', values)
    np.save(tmp_path / 'int.npy', values.astype(np.int32))
    cv2.imwrite(str(tmp_path / 'a.tiff'), values)
    write_pfm(tmp_path / 'a.pfm', values)
    cv2.imwrite(str(tmp_path / '16.png'), values.astype(np.uint16))
    grey = np.rint(values / 4).astype(np.uint8)
    cv2.imwrite(str(tmp_path / '8.png'), np.dstack([grey] * 3))
    for name, expected in (
        ('a.npy', values),
        ('int.npy', values.astype(np.int32)),
        ('a.tiff', values),
        ('a.pfm', values),
        ('16.png', values.astype(np.uint16)),
        ('8.png', grey),
    ):
        np.testing.assert_array_equal(read_map(tmp_path / name), expected)


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('colour.png', cv2.imencode('.png', np.arange(48, dtype=np.uint8).reshape(4, 4, 3))[1].tobytes()),
        ('text.npy', b'text'),
        ('cut.tif', cv2.imencode('.tif', np.ones((40, 40), np.float32))[1].tobytes()[:-30]),
    ],
)
def test_what_is_no_map_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        read_map(tmp_path / name)


def test_written_depth_is_read_back_to_16_bits(tmp_path):
    depth = np.random.default_rng(0).random((12, 16), dtype=np.float32)
    write_depth(tmp_path / 'd.png', depth)
    assert cv2.imread(str(tmp_path / 'd.png'), cv2.IMREAD_UNCHANGED).dtype == np.uint16
    np.testing.assert_allclose(read_depth(tmp_path / 'd.png', (120, 160)), depth, atol=1 / 65535)
    assert [path.name for path in tmp_path.iterdir()] == ['d.png']


def test_depth_that_lies_on_its_side_is_refused(tmp_path):
    write_depth(tmp_path / 'd.png', np.zeros((12, 16), np.float32))
    with pytest.raises(ValueError, match=r'd\.png: 16 x 12 does not go with a photo of 120 x 160'):
        read_depth(tmp_path / 'd.png', (160, 120))
    with pytest.raises(FileNotFoundError, match=r'none\.png'):
        read_depth(tmp_path / 'none.png', (12, 16))


def ramp_with_sky(sky, dtype=np.float32):
    """Depth of 64 x 64 that grows from 1 by a level a row; the last quarter of the rows is sky."""
    depth = np.repeat(np.arange(1, 65, dtype=dtype)[:, None], 64, axis=1)
    depth[48:] = sky
    return depth


@pytest.mark.parametrize(
    ('sky', 'dtype'),
    [
        *((value, np.float32) for value in (np.inf, 1e10, 65504, 1e4, 3.4e38)),
        (1e308, np.float64),
        (65535, np.uint16),
        (127, np.int8),
        (2**31 - 1, np.int32),
    ],
)
def test_markers_are_far_and_the_scene_keeps_its_levels(sky, dtype):
    depth = ramp_with_sky(sky, dtype)
    result = depth_from_metric(depth)
    np.testing.assert_allclose(result[:48], (depth[:48] - 1) / 47.0, atol=1e-6)
    np.testing.assert_array_equal(result[48:], 1)
    assert describe_markers(depth).startswith(f'25% of it, {sky:.4g}, is taken for a marker')


def test_markers_that_a_renderer_has_mixed_into_edges_are_markers_too():
    depth = ramp_with_sky(1e10)
    depth[48] = np.linspace(2e9, 9e9, 64)
    depth[60:] = np.inf
    result = depth_from_metric(depth)
    np.testing.assert_allclose(result[:48], (depth[:48] - 1) / 47.0, atol=1e-6)
    np.testing.assert_array_equal(result[48:], 1)
    assert describe_markers(depth).startswith('25% of it, 2e+09 to inf')


@pytest.mark.parametrize(
    'depth',
    [
        ramp_with_sky(200),
        np.float32([[1, 2, 3, 500]]).repeat(9, axis=0) * np.linspace(1, 2, 9, dtype=np.float32)[:, None],
        np.linspace(0, 65535, 4096).astype(np.uint16).reshape(64, 64),
    ],
    ids=['a wall not far behind', 'a varied background far behind', 'the full range of a type'],
)
def test_what_is_far_but_no_marker_keeps_its_place(depth):
    assert describe_markers(depth) is None
    known = depth[depth > 0].astype(np.float32)
    expected = np.where(depth > 0, (depth - known.min()) / (known.max() - known.min()), 0)
    np.testing.assert_allclose(depth_from_metric(depth), expected, atol=1e-6)


@pytest.fixture
def photo():
    return smooth_noise((60, 91)).astype(np.float32) / 255


def raw_estimate(folder, photo):
    """What the model says, by its own classes."""
    transformers = pytest.importorskip('transformers')
    processor = transformers.DPTImageProcessor.from_pretrained(folder)
    model = transformers.DepthAnythingForDepthEstimation.from_pretrained(folder)
    image = np.rint(photo * 255).astype(np.uint8)
    with torch.no_grad():
        output = model(**processor(images=[image], return_tensors='pt'))
    return processor.post_process_depth_estimation(output, [photo.shape[:2]])[0]['predicted_depth'].numpy()


def test_disparity_becomes_far_is_large(depth_models, photo):
    estimate = DepthEstimator(str(depth_models / 'relative'), far_over_near=5)
    assert not estimate.is_metric
    raw = raw_estimate(depth_models / 'relative', photo)
    assert np.ptp(raw) > 0
    np.testing.assert_allclose(estimate(photo), depth_from_disparity(raw, 5), atol=1e-4)


def test_metric_models_are_told_from_their_configuration(depth_models, photo):
    estimate = DepthEstimator(str(depth_models / 'metric'))
    assert estimate.is_metric
    np.testing.assert_allclose(
        estimate(photo), depth_from_metric(raw_estimate(depth_models / 'metric', photo)), atol=1e-4
    )


def test_model_that_cannot_be_had_is_one_clear_error(monkeypatch, tmp_path):
    """As without a network: the hub does not answer, and the cache is empty."""
    pytest.importorskip('transformers')

    def silent(*args, **kwargs):
        time.sleep(60)

    monkeypatch.setattr(download.huggingface_hub, 'get_hf_file_metadata', silent)
    monkeypatch.setattr(download.huggingface_hub.constants, 'HF_HUB_CACHE', str(tmp_path))
    monkeypatch.setattr(download, 'PATIENCE', 0.2)
    start = time.monotonic()
    with pytest.raises(FileNotFoundError, match='--depth-model') as caught:
        DepthEstimator(DEFAULT_MODEL)
    assert time.monotonic() - start < 20
    assert DEFAULT_MODEL in str(caught.value)
    assert '\n' not in str(caught.value)


def test_model_that_cannot_be_had_is_named_with_every_file_that_it_needs(monkeypatch, tmp_path):
    def refuse(*args, **kwargs):
        raise OSError('no network')

    monkeypatch.setattr(download.huggingface_hub, 'get_hf_file_metadata', refuse)
    monkeypatch.setattr(download.huggingface_hub.constants, 'HF_HUB_CACHE', str(tmp_path))
    with pytest.raises(FileNotFoundError) as caught:
        model_folder(DEFAULT_MODEL)
    for name in ('/config.json', 'preprocessor_config.json', 'model.safetensors'):
        assert name in str(caught.value)


@pytest.mark.parametrize('content', [None, '{}', '{"model_type": "bert"}', 'junk'])
def test_folder_without_a_depth_model_is_named(tmp_path, content):
    pytest.importorskip('transformers')
    if content is not None:
        (tmp_path / 'config.json').write_text(content)
    with pytest.raises(ValueError, match=str(tmp_path)) as caught:
        DepthEstimator(str(tmp_path))
    assert '\n' not in str(caught.value)
