import torch

from s3net_plugin.losses import VGG19Features


def test_depth_is_what_the_last_layer_needs():
    assert len(VGG19Features(['relu3_1', 'conv1_2'], 'random').features) == 12
    assert len(VGG19Features(['conv1_1'], 'random').features) == 1


def test_parameters_are_frozen_fp32_and_hold_no_buffers(vgg_file, vgg_state):
    vgg = VGG19Features(['relu3_1'], vgg_file)
    assert vgg.state_dict().keys() == vgg_state.keys()
    for name, value in vgg.named_parameters():
        assert not value.requires_grad
        assert torch.equal(value, vgg_state[name])
