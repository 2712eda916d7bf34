import torch
from torch import nn

from s3net_plugin.models.ema import Average, Statistics


def network(seed):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    net(torch.rand(2, 3, 8, 8))
    return net


def test_the_average_is_the_formula():
    net, averaged = network(0), network(1)
    expected = [0.9 * a + 0.1 * p for a, p in zip(averaged.parameters(), net.parameters(), strict=True)]
    Average(averaged, net).update(0.9)
    assert all(torch.allclose(a, e) for a, e in zip(averaged.parameters(), expected, strict=True))


def test_statistics_of_all_types_come_back_as_they_were_kept():
    net = network(0)
    statistics = Statistics(net)
    kept = [buffer.clone() for buffer in net.buffers()]
    assert {buffer.dtype for buffer in kept} == {torch.float32, torch.int64}
    net(torch.rand(2, 3, 8, 8))
    assert not any(torch.equal(a, b) for a, b in zip(net.buffers(), kept, strict=True))
    statistics.restore()
    assert all(torch.equal(a, b) for a, b in zip(net.buffers(), kept, strict=True))
    net(torch.rand(2, 3, 8, 8))
    statistics.keep()
    now = [buffer.clone() for buffer in net.buffers()]
    statistics.restore()
    assert all(torch.equal(a, b) for a, b in zip(net.buffers(), now, strict=True))


def test_the_averaged_network_is_where_they_are_kept():
    net, averaged = network(0), network(1)
    Statistics(net, averaged)
    assert all(torch.equal(a, b) for a, b in zip(net.buffers(), averaged.buffers(), strict=True))


def test_a_network_without_statistics_has_nothing_to_keep():
    net = nn.Conv2d(3, 4, 3)
    statistics = Statistics(net)
    statistics.keep()
    statistics.restore()
