import pytest
import torch

from s3net_plugin.models.objective import Objective


def test_vgg_computes_in_mixed_precision_and_what_is_summed_is_float32():
    options = {'perceptual_opt': {'type': 'S3NetPerceptualLoss', 'weights': 'random'}}
    options['wssim_opt'] = {'type': 'S3NetWaveletSSIMLoss'}

    def values(dtype):
        objective = Objective(
            options, torch.device('cpu'), lambda: torch.autocast('cpu', dtype=dtype, enabled=dtype is not None)
        )
        return objective(output, target)

    generator = torch.Generator().manual_seed(0)
    output, target = torch.rand(2, 1, 3, 32, 32, generator=generator)
    plain = values(None)
    mixed = values(torch.bfloat16)
    assert {value.dtype for value in mixed.values()} == {torch.float32}
    assert mixed['l_wssim'] == plain['l_wssim']
    assert mixed['l_percep'] != plain['l_percep']
    assert mixed['l_percep'] == pytest.approx(plain['l_percep'].item(), rel=0.02)
