import copy

import pytest
import torch
from torch import nn

from s3net_plugin.archs import S3Net
from s3net_plugin.archs.padding import is_padded, pad_channels

UPSAMPLING = {last: ['pixel_shuffle'] * 3 + [last] for last in ('pixel_shuffle', 'transposed_conv')}


def build(last='pixel_shuffle'):
    torch.manual_seed(0)
    network = S3Net(encoder='res2net50_26w_4s', upsampling=UPSAMPLING[last])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # timm starts some at 0, which would hide what is wrong
            nn.init.uniform_(module.weight, 0.4, 0.8)
            nn.init.normal_(module.bias, 0, 0.1)
    return network.double()  # so that rounding cannot blur what is compared


def train(network, make_optimizer, steps=2):
    """Return the loss of every step and of one more."""
    generator = torch.Generator().manual_seed(1)
    x, target = (torch.rand(2, channels, 32, 32, generator=generator).double() for channels in (8, 3))
    network.train()
    optimizer = make_optimizer(network.parameters())
    losses = []
    for _ in range(steps + 1):
        optimizer.zero_grad()
        loss = (network(x) - target).abs().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=0.01)


@pytest.mark.parametrize('last', UPSAMPLING)
def test_training_is_the_same_and_so_is_the_checkpoint(last):
    plain = build(last)
    padded = copy.deepcopy(plain)
    pad_channels(padded, 8)
    expected, found = train(plain, sgd), train(padded, sgd)
    assert expected[-1] < expected[0]
    assert found == pytest.approx(expected, rel=1e-9)
    state = padded.state_dict()
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(state.pop(name), tensor, rtol=1e-6, atol=1e-9, msg=name)
    assert not state


def test_what_was_added_stays_zero():
    network = build()
    pad_channels(network, 8)
    train(network, lambda parameters: torch.optim.AdamW(parameters, lr=1e-3))
    real = network.state_dict()
    padded = [name for name, parameter in network.named_parameters() if parameter.shape != real[name].shape]
    assert len(padded) > 50
    for name in padded:
        assert network.get_parameter(name).count_nonzero() == real[name].count_nonzero(), name


def test_checkpoints_go_both_ways():
    plain, padded = build(), build()
    assert not is_padded(plain)
    pad_channels(padded, 8)
    assert is_padded(padded)
    for parameter in plain.parameters():
        nn.init.normal_(parameter)
    assert padded.load_state_dict(plain.state_dict()) == plain.load_state_dict(padded.state_dict())
    back = padded.state_dict()
    for name, tensor in plain.state_dict().items():
        assert torch.equal(back[name], tensor), name
    copied = copy.deepcopy(padded)
    assert copied.load_state_dict(back) and all(map(torch.equal, copied.state_dict().values(), back.values()))


def test_a_checkpoint_of_another_network_is_refused():
    padded = build()
    pad_channels(padded, 8)
    state = padded.state_dict()
    state['enhancer.conv1.weight'] = state['enhancer.conv1.weight'][:1]
    with pytest.raises(RuntimeError, match=r'size mismatch for enhancer.conv1.weight'):
        padded.load_state_dict(state)
