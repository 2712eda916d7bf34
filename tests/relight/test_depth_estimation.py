import time

import numpy as np
import pytest
import torch

from s3net_plugin.relight.depth import DEFAULT_MODEL, DepthEstimator
from s3net_plugin.relight.depth_maps import depth_from_disparity, depth_from_metric
from s3net_plugin.utils import download
from tests.relight.pictures import smooth_noise


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


@pytest.mark.parametrize('content', [None, '{}', '{"model_type": "bert"}', 'junk'])
def test_folder_without_a_depth_model_is_named(tmp_path, content):
    pytest.importorskip('transformers')
    if content is not None:
        (tmp_path / 'config.json').write_text(content)
    with pytest.raises(ValueError, match=str(tmp_path)) as caught:
        DepthEstimator(str(tmp_path))
    assert '\n' not in str(caught.value)
