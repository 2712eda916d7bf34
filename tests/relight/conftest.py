import cv2
import pytest
import torch
from basicsr.archs import build_network

from tests.conftest import RENDERED


@pytest.fixture
def scene():
    """One rendered scene under two lights, RGB uint8."""

    def read(name):
        return cv2.cvtColor(cv2.imread(str(RENDERED / name)), cv2.COLOR_BGR2RGB)

    return {'input': read('scene_4500_E.png'), 'target': read('scene_2500_NW.png')}


@pytest.fixture(scope='session')
def checkpoints(tmp_path_factory):
    """Untrained networks as BasicSR saves them: one with a guide, one without."""
    folder = tmp_path_factory.mktemp('checkpoints')
    for name, channels in (('guided', 8), ('one_to_one', 4)):
        options = {'type': 'S3Net', 'encoder': 'resnet10t', 'residual': True, 'in_channels': channels}
        torch.manual_seed(0)
        network = build_network(dict(options))
        torch.save({'params': network.state_dict(), 'network_g': options}, folder / f'{name}.pth')
    return folder


@pytest.fixture(scope='session')
def depth_models(tmp_path_factory):
    """Randomly initialised Depth Anything models, one of disparity and one of metric depth."""
    transformers = pytest.importorskip('transformers', reason="needs the extra 'depth'")
    folder = tmp_path_factory.mktemp('depth_models')
    backbone = transformers.Dinov2Config(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
        out_features=['stage1', 'stage2', 'stage3', 'stage4'],
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    for kind in ('relative', 'metric'):
        torch.manual_seed(1)
        config = transformers.DepthAnythingConfig(
            backbone_config=backbone,
            reassemble_hidden_size=16,
            neck_hidden_sizes=[8, 8, 8, 8],
            fusion_hidden_size=8,
            head_hidden_size=8,
            patch_size=14,
            depth_estimation_type=kind,
        )
        transformers.DepthAnythingForDepthEstimation(config).save_pretrained(folder / kind)
        transformers.DPTImageProcessor(
            size={'height': 56, 'width': 56}, keep_aspect_ratio=True, ensure_multiple_of=14
        ).save_pretrained(folder / kind)
    return folder
