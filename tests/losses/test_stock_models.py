"""BasicSR's own models and networks, for photos and for video, trained with each loss from options."""

import pytest
import torch
from basicsr.models import build_model

from s3net_plugin.losses import charbonnier, perceptual_loss, wavelet_ssim_loss

LOSSES = {  # the options, the name in the log, and what is computed
    'charbonnier': ('pixel_opt', {'type': 'S3NetCharbonnierLoss', 'reduction': 'mean'}, 'l_pix', charbonnier),
    'wavelet_ssim': ('pixel_opt', {'type': 'S3NetWaveletSSIMLoss', 'reduction': 'mean'}, 'l_pix', wavelet_ssim_loss),
    'perceptual': ('perceptual_opt', {'type': 'S3NetPerceptualLoss', 'weights': 'random'}, 'l_percep', perceptual_loss),
}
MODELS = {  # its network, and the shapes of its input and target
    'SRModel': (
        {'type': 'EDSR', 'num_in_ch': 3, 'num_out_ch': 3, 'num_feat': 4, 'num_block': 1, 'upscale': 2},
        ((2, 3, 12, 16), (2, 3, 24, 32)),
    ),
    'VideoRecurrentModel': (
        {'type': 'BasicVSR', 'num_feat': 4, 'num_block': 1},
        ((1, 2, 3, 64, 64), (1, 2, 3, 256, 256)),
    ),
}


@pytest.mark.parametrize('kind', MODELS)
@pytest.mark.parametrize('name', LOSSES)
def test_stock_model_trains_with(name, kind):
    (key, loss, logged, function), (network, (lq, gt)) = LOSSES[name], MODELS[kind]
    torch.manual_seed(0)
    model = build_model(
        {
            'model_type': kind,
            'num_gpu': 0,
            'dist': False,
            'is_train': True,
            'path': {},
            'network_g': dict(network),
            'train': {
                'optim_g': {'type': 'Adam', 'lr': 1.0e-3},
                'scheduler': {'type': 'MultiStepLR', 'milestones': [10], 'gamma': 0.5},
                key: {**loss, 'loss_weight': 0.1},
            },
        }
    )
    before = {key: value.clone() for key, value in model.net_g.state_dict().items()}
    model.feed_data({'lq': torch.rand(lq), 'gt': torch.rand(gt)})
    options = [model.cri_perceptual.vgg, model.cri_perceptual.layer_weights] if name == 'perceptual' else []
    values = []
    for iteration in (1, 2):
        model.optimize_parameters(iteration)
        log = model.get_current_log()
        assert list(log) == [logged]
        values.append(log[logged])
        assert values[-1] == pytest.approx(0.1 * function(model.output.detach(), model.gt, *options).item(), rel=1e-5)
    assert values[1] < values[0]
    assert all(not torch.equal(value, before[key]) for key, value in model.net_g.named_parameters())
