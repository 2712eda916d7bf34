import pytest
import torch

from s3net_plugin.models.criterion import Criterion
from s3net_plugin.models.precision import Precision

CPU = torch.device('cpu')


def test_vgg_computes_in_mixed_precision_and_what_is_summed_is_float32():
    options = {'perceptual_opt': {'type': 'S3NetPerceptualLoss', 'weights': 'random'}}
    options['wssim_opt'] = {'type': 'S3NetWaveletSSIMLoss'}

    def values(dtype):
        return Criterion(options, Precision(dtype, CPU))(output, target)

    generator = torch.Generator().manual_seed(0)
    output, target = torch.rand(2, 1, 3, 32, 32, generator=generator)
    plain = values(None)
    mixed = values('bfloat16')
    assert {value.dtype for value in mixed.values()} == {torch.float32}
    assert mixed['l_wssim'] == plain['l_wssim']
    assert mixed['l_percep'] != plain['l_percep']
    assert mixed['l_percep'] == pytest.approx(plain['l_percep'].item(), rel=0.02)


def test_losses_that_share_a_name_in_the_log_are_added_up():
    options = {'pixel_opt': {'type': 'L1Loss'}, 'pix_opt': {'type': 'MSELoss'}}
    output, target = torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.5)
    values = Criterion(options, Precision(None, CPU))(output, target)
    assert {name: value.item() for name, value in values.items()} == {'l_pix': 0.75}


def test_compiled_losses_have_the_same_values_and_gradients(compiler_backend):
    kinds = ('Charbonnier', 'WaveletSSIM', 'Perceptual')
    options = {f'{kind.lower()}_opt': {'type': f'S3Net{kind}Loss'} for kind in kinds}
    options['perceptual_opt']['weights'] = 'random'
    generator = torch.Generator().manual_seed(0)
    output, target = torch.rand(2, 2, 3, 32, 32, generator=generator)
    output.requires_grad_()

    def compute(compile):
        values = Criterion({**options, 'compile': compile}, Precision(None, CPU))(output, target)
        return values, torch.autograd.grad(sum(values.values()), output)[0]

    torch._dynamo.utils.counters.clear()
    compiler_backend('aot_eager')
    (values, gradient), (expected, expected_gradient) = compute(True), compute(False)
    assert torch._dynamo.utils.counters['frames']['ok'] >= len(kinds)
    assert not torch._dynamo.utils.counters['graph_break']
    assert values.keys() == expected.keys() and len(values) == len(kinds)
    torch.testing.assert_close(values, expected)
    torch.testing.assert_close(gradient, expected_gradient)
