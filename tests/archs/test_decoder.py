import torch
import torch.nn.functional as F
from torch import nn

from s3net_plugin.archs.s3net_arch import AttentionBlock, Enhancer, upsampler


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
