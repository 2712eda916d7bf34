"""BasicSR's own model and networks, trained with each loss from options."""

import pytest
import torch
from basicsr.models import build_model

LOSSES = {
    'charbonnier': ('pixel_opt', {'type': 'S3NetCharbonnierLoss'}, 'l_pix'),
    'wavelet_ssim': ('pixel_opt', {'type': 'S3NetWaveletSSIMLoss', 'loss_weight': 0.1}, 'l_pix'),
    'perceptual': ('perceptual_opt', {'type': 'S3NetPerceptualLoss', 'weights': 'random'}, 'l_percep'),
}


@pytest.mark.parametrize('name', LOSSES)
def test_stock_sr_model_trains_with(name):
    key, loss, logged = LOSSES[name]
    torch.manual_seed(0)
    model = build_model(
        {
            'model_type': 'SRModel',
            'num_gpu': 0,
            'dist': False,
            'is_train': True,
            'path': {},
            'network_g': {'type': 'EDSR', 'num_in_ch': 3, 'num_out_ch': 3, 'num_feat': 4, 'num_block': 1, 'upscale': 2},
            'train': {
                'optim_g': {'type': 'Adam', 'lr': 1.0e-3},
                'scheduler': {'type': 'MultiStepLR', 'milestones': [10], 'gamma': 0.5},
                key: loss,
            },
        }
    )
    before = {key: value.clone() for key, value in model.net_g.state_dict().items()}
    model.feed_data({'lq': torch.rand(2, 3, 12, 16), 'gt': torch.rand(2, 3, 24, 32)})
    values = []
    for iteration in (1, 2):
        model.optimize_parameters(iteration)
        log = model.get_current_log()
        assert list(log) == [logged]
        values.append(log[logged])
    assert values[1] < values[0]
    assert all(not torch.equal(value, before[key]) for key, value in model.net_g.named_parameters())
