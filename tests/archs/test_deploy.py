import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from s3net_plugin.archs import S3Net, optimize_for_inference
from s3net_plugin.archs.deploy import fast_precision, fold_batch_norm
from s3net_plugin.archs.padding import pad_channels
from s3net_plugin.archs.s3net_arch import build_encoder

RES2NET = 'res2net50_26w_4s'


def settle_statistics(network):
    """Give every BatchNorm statistics and weights that folding has to get right."""
    generator = torch.Generator().manual_seed(2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean.data, module.bias.data):
                tensor.normal_(0, 0.1, generator=generator)
            for tensor in (module.running_var.data, module.weight.data):
                tensor.uniform_(0.4, 0.8, generator=generator)
    return network.eval()


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    return settle_statistics(S3Net(encoder=RES2NET, upsampling=['pixel_shuffle'] * 4))


def photo(height=64, width=96):
    return torch.rand(1, 8, height, width, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def largest_difference(network, **options):
    return (optimize_for_inference(network, **options)(photo()) - network(photo())).abs().max()


@pytest.mark.parametrize('options', [{}, {'channels_last': True}, {'channel_multiple': 1}, {'channel_multiple': 16}])
def test_output_is_that_of_the_plain_network(network, options):
    assert largest_difference(network, **options) < 1e-5


@pytest.mark.parametrize('channels_last', [False, True])
def test_output_in_bfloat16_is_near_that_of_the_plain_network(network, channels_last):
    assert 0 < largest_difference(network, dtype=torch.bfloat16, channels_last=channels_last) < 2e-2


@pytest.mark.parametrize('residual', [False, True])
@pytest.mark.parametrize('last', ['pixel_shuffle', 'transposed_conv'])
def test_every_arrangement_is_kept(residual, last):
    torch.manual_seed(0)
    upsampling = ['pixel_shuffle'] * 3 + [last]
    network = settle_statistics(S3Net(encoder='resnet10t', residual=residual, upsampling=upsampling))
    assert largest_difference(network) < 1e-5


def test_no_batch_norm_and_no_odd_width_is_left_at_full_size(network):
    deployed = optimize_for_inference(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in deployed.modules())
    spatial = [m for m in deployed.modules() if isinstance(m, nn.Conv2d) and m.kernel_size != (1, 1)]
    assert {conv.in_channels % 8 for conv in spatial} == {conv.out_channels % 8 for conv in spatial} == {0}


def test_the_trained_network_is_left_as_it_is(network):
    before = copy.deepcopy(network.state_dict())
    optimize_for_inference(network, dtype=torch.bfloat16)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_result_is_float32_and_belongs_to_the_caller(network):
    deployed = optimize_for_inference(network, dtype=torch.bfloat16, channels_last=True)
    first = deployed(photo(33, 47))
    kept = first.clone()
    second = deployed(1 - photo(33, 47))
    assert first.dtype == torch.float32
    assert first.shape == (1, 3, 33, 47)
    assert first.is_contiguous()
    assert not first.requires_grad
    assert torch.equal(first, kept)
    assert not torch.equal(first, second)


def test_deployed_network_compiles_into_one_graph(network):
    deployed = optimize_for_inference(network).network
    compiled = torch.compile(deployed, backend='eager', fullgraph=True)
    with torch.no_grad():
        assert torch.equal(compiled(photo()), deployed(photo()))


@pytest.mark.parametrize('encoder', ['resnet18', 'mobilenetv3_large_100', 'dla34', 'vgg11_bn', 'densenet121'])
def test_folding_keeps_the_features_of_any_encoder(encoder):
    """With activations inside BatchNorm, trees, biases, and BatchNorm that no convolution precedes."""
    torch.manual_seed(0)
    module = settle_statistics(build_encoder(encoder, 4)[0])
    count = sum(isinstance(m, nn.BatchNorm2d) for m in module.modules())
    x = torch.rand(1, 4, 64, 64)
    with torch.no_grad():
        expected = module(x)
        fold_batch_norm(module)
        for got, want in zip(module(x), expected, strict=True):
            torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-4)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in module.modules()) < count


def test_a_network_padded_for_training_is_deployed_alike(network):
    padded = copy.deepcopy(network)
    pad_channels(padded, 8)
    assert largest_difference(padded) < 1e-5
    with torch.no_grad():
        torch.testing.assert_close(optimize_for_inference(padded)(photo()), network(photo()), rtol=0, atol=1e-5)


def test_photo_of_a_residual_network_keeps_its_precision_in_bfloat16():
    network = S3Net(encoder='resnet10t', residual=True)
    nn.init.zeros_(network.conv_last.weight)
    nn.init.zeros_(network.conv_last.bias)
    result = optimize_for_inference(network, dtype=torch.bfloat16)(photo())
    torch.testing.assert_close(result, torch.tanh(photo()[:, :3]), rtol=0, atol=1e-6)


@pytest.mark.skipif(not Path('/proc/cpuinfo').exists(), reason='Linux tells there what a CPU can do')
def test_a_cpu_is_fast_in_bfloat16_if_it_has_instructions_for_it(monkeypatch):
    flags = set(Path('/proc/cpuinfo').read_text().split())
    expected = torch.bfloat16 if flags & {'avx512_bf16', 'amx_bf16'} else torch.float32
    assert fast_precision(torch.device('cpu')) == expected
    for probe in ('_is_amx_tile_supported', '_is_avx512_bf16_supported'):
        monkeypatch.delattr(torch.cpu, probe, raising=False)  # a PyTorch that does not say counts as one that has not
    assert fast_precision(torch.device('cpu')) == torch.float32
