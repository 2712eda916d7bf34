import pytest
import torch

from s3net_plugin.archs.s3net_arch import build_encoder


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
