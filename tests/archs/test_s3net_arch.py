import numpy as np
import pytest
import torch

from s3net_plugin.archs import S3Net
from s3net_plugin.archs.s3net_arch import build_encoder


def small(**options):
    torch.manual_seed(0)
    return S3Net(**{'encoder': 'resnet10t', **options})


def sample(height=64, width=64, channels=8, batch=1):
    return torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(1))


def test_default_arrangement_learns_the_last_two_upsamplings_with_kernels_of_4():
    stages = small().upsamplers
    assert [type(stage).__name__ for stage in stages] == ['PixelShuffle'] * 2 + ['ConvTranspose2d'] * 2
    assert {stage.kernel_size for stage in stages[2:]} == {(4, 4)}


@pytest.mark.parametrize('encoder', ['resnet10t', 'convnext_pico.d1_in1k', 'dla34', 'vgg11_bn'])
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
        *(
            ({'encoder': name}, f"encoder: '{name}' does not take any size in steps of 32")
            for name in ('maxvit_base_tf_224', 'maxvit_rmlp_nano_rw_256', 'coatnet_0_rw_224')
        ),
    ],
)
def test_unfit_options_are_named(options, message):
    with pytest.raises(ValueError, match=message) as error:
        small(**options)
    assert '\n' not in str(error.value)


def test_what_lies_beyond_stride_16_is_not_built():
    encoder, _ = build_encoder('resnet10t', 3)
    assert not any(name.startswith(('layer4', 'fc')) for name, _ in encoder.named_parameters())
