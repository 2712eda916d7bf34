import numpy as np
import pytest
import torch
import torch.nn.functional as F
from basicsr.archs import build_network
from torch import nn

from s3net_plugin.archs import S3Net
from s3net_plugin.archs.s3net_arch import AttentionBlock, Enhancer, build_encoder, upsampler


def small(**options):
    torch.manual_seed(0)
    return S3Net(**{'encoder': 'resnet10t', **options})


def sample(height=64, width=64, channels=8, batch=1):
    return torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(1))


def test_basicsr_builds_it_from_options():
    options = {'type': 'S3Net', 'encoder': 'resnet10t', 'in_channels': 4, 'upsampling': ['pixel_shuffle'] * 4}
    assert isinstance(build_network(options), S3Net)


def test_released_arrangement_has_49_million_parameters():
    with torch.device('meta'):
        network = S3Net(upsampling=['pixel_shuffle'] * 4)
    assert sum(parameter.numel() for parameter in network.parameters()) / 1e6 == pytest.approx(49.35, abs=0.005)


def test_default_arrangement_learns_the_last_two_upsamplings():
    assert [type(stage).__name__ for stage in small().upsamplers] == ['PixelShuffle'] * 2 + ['ConvTranspose2d'] * 2


@pytest.mark.parametrize('encoder', ['resnet10t', 'resnet18', 'convnext_pico.d1_in1k', 'dla34'])
@pytest.mark.parametrize('kind', ['pixel_shuffle', 'transposed_conv'])
def test_decoder_follows_the_encoder(encoder, kind):
    network = small(encoder=encoder, in_channels=4, out_channels=2, upsampling=[kind] * 4).eval()
    with torch.no_grad():
        assert network(sample(channels=4)).shape == (1, 2, 64, 64)


@pytest.mark.parametrize('size', [(32, 32), (33, 47), (63, 64), (96, 65), (40, 100)])
def test_every_size_comes_back_and_equals_the_crop_of_a_reflected_input(size):
    network = small().eval()
    x = sample(*size)
    pads = [(0, 0), (0, 0), *((0, -length % 32) for length in size)]
    reflected = torch.from_numpy(np.pad(x.numpy(), pads, mode='reflect'))
    with torch.no_grad():
        output = network(x)
        assert output.shape == (1, 3, *size)
        assert torch.equal(output, network(reflected)[..., : size[0], : size[1]])


@pytest.mark.parametrize(
    ('shape', 'message'),
    [
        ((1, 8, 31, 64), r'at least 32, got \(1, 8, 31, 64\)'),
        ((1, 8, 64, 1), r'at least 32, got \(1, 8, 64, 1\)'),
        ((1, 4, 64, 64), r'expects \(N, 8, H, W\), got \(1, 4, 64, 64\)'),
        ((8, 64, 64), r'expects \(N, 8, H, W\), got \(8, 64, 64\)'),
    ],
)
def test_unfit_input_is_named(shape, message):
    with pytest.raises(ValueError, match=message):
        small()(torch.zeros(shape))


def test_residual_adds_the_input_photo_before_the_last_tanh():
    plain, residual = small().eval(), small(residual=True).eval()
    residual.load_state_dict(plain.state_dict())
    x = sample(40, 56)
    with torch.no_grad():
        torch.testing.assert_close(residual(x), torch.tanh(torch.atanh(plain(x)) + x[:, :3]), rtol=0, atol=1e-5)


@pytest.mark.parametrize('options', [{}, {'upsampling': ['pixel_shuffle'] * 4, 'residual': True, 'in_channels': 4}])
def test_every_parameter_gets_a_gradient(options):
    network = small(**options).train()
    network(sample(32, 64, network.input_channels, batch=2)).square().mean().backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def test_state_dict_loads_back():
    first, second = small().eval(), S3Net(encoder='resnet10t').eval()
    second.load_state_dict(first.state_dict(), strict=True)
    with torch.no_grad():
        assert torch.equal(first(sample()), second(sample()))


def test_it_compiles_into_one_graph():
    network = small().eval()
    compiled = torch.compile(network, backend='eager', fullgraph=True)
    with torch.no_grad():
        assert torch.equal(compiled(sample(33, 64)), network(sample(33, 64)))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'upsampling': ['pixel_shuffle'] * 3}, 'upsampling: four names'),
        ({'upsampling': 'pixel_shuffle'}, 'upsampling: four names'),
        ({'upsampling': ['pixel_shufle'] * 4}, "upsampling: .*'pixel_shufle'; did you mean 'pixel_shuffle'"),
        ({'residual': True, 'out_channels': 1}, 'residual: .* out_channels 3'),
        ({'encoder': 'resnet10'}, "encoder: .*'resnet10'; did you mean .*'resnet10t'"),
        ({'encoder': 'vit_tiny_patch16_224'}, r'strides \[16\]'),
        ({'encoder': 'swin_base_patch4_window7_224'}, 'NHWC'),
        ({'encoder': 'mobilenetv3_small_100'}, r'16, 24 and 48 channels .* multiple of 4'),
        ({'encoder': 'gmixer_12_224'}, "encoder: 'gmixer_12_224'"),
    ],
)
def test_unfit_options_are_named(options, message):
    with pytest.raises(ValueError, match=message) as error:
        small(**options)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('name', ['res2net101d', 'resnet10t', 'convnext_pico', 'dla34', 'vgg11_bn'])
def test_features_come_at_strides_4_8_and_16_in_the_stated_widths(name):
    encoder, widths = build_encoder(name, 5)
    with torch.no_grad():
        features = encoder.eval()(torch.rand(1, 5, 64, 32))
    expected = [(1, width, 64 // stride, 32 // stride) for width, stride in zip(widths, (4, 8, 16), strict=True)]
    assert [tuple(feature.shape) for feature in features] == expected


def test_what_lies_beyond_stride_16_is_not_built():
    encoder, _ = build_encoder('resnet10t', 3)
    assert not any(name.startswith(('layer4', 'fc')) for name, _ in encoder.named_parameters())


@pytest.mark.parametrize('name', ['maxvit_base_tf_224', 'maxvit_rmlp_nano_rw_256', 'coatnet_0_rw_224'])
def test_a_network_of_one_size_is_named(name):
    with pytest.raises(ValueError, match=f"encoder: '{name}' does not take any size in steps of 32"):
        build_encoder(name, 8)


def test_enhancer_equals_pooling_and_upsampling_each_stride_alone():
    torch.manual_seed(0)
    enhancer = Enhancer(7)
    x = torch.randn(2, 7, 64, 96)
    res = F.leaky_relu(enhancer.conv2(F.leaky_relu(enhancer.conv1(x), 0.2)), 0.2)
    maps = [
        F.interpolate(F.leaky_relu(conv(F.avg_pool2d(res, stride)), 0.2), size=(64, 96), mode='nearest')
        for stride, conv in zip((32, 16, 8, 4), enhancer.pool_convs, strict=True)
    ]
    expected = torch.tanh(enhancer.conv3(torch.cat([*maps, res], dim=1)))
    torch.testing.assert_close(enhancer(x), expected, rtol=0, atol=1e-6)


def test_closed_attention_leaves_the_input():
    block = AttentionBlock(16)
    nn.init.constant_(block.spatial_attention[2].bias, -1e4)
    x = torch.randn(1, 16, 8, 8)
    assert torch.equal(block(x), x)


def test_channel_attention_weighs_channels_and_spatial_attention_weighs_pixels():
    torch.manual_seed(0)
    block = AttentionBlock(16)
    x = torch.randn(2, 16, 8, 12)
    assert block.channel_attention(x).shape == (2, 16, 1, 1)
    assert block.spatial_attention(x).shape == (2, 1, 8, 12)


def test_transposed_convolution_can_be_a_pixel_shuffle():
    """The two kinds of stage agree in shape, and the second contains the first."""
    stage = upsampler('transposed_conv', 8)
    with torch.no_grad():
        stage.bias.zero_()
        stage.weight.zero_()
        for channel in range(8):
            target, row, column = channel // 4, channel % 4 // 2, channel % 2
            stage.weight[channel, target, row + 1, column + 1] = 1
    x = torch.randn(1, 8, 5, 6)
    torch.testing.assert_close(stage(x), upsampler('pixel_shuffle', 8)(x))
