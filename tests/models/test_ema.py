import torch
from torch import nn

from s3net_plugin.models.ema import BufferSnapshot, ema_update


def network(seed):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    net(torch.rand(2, 3, 8, 8))
    return net


def test_the_average_is_the_formula_bit_by_bit_and_takes_one_launch():
    net, averaged = (list(network(seed).parameters()) for seed in (0, 1))
    expected = [torch.lerp(a, p, 1 - 0.9) for a, p in zip(averaged, net, strict=True)]
    formula = [0.9 * a + 0.1 * p for a, p in zip(averaged, net, strict=True)]
    with torch.profiler.profile() as profile:
        ema_update(averaged, net, 0.9)
    assert [event.count for event in profile.key_averages() if event.key == 'aten::_foreach_lerp_'] == [1]
    assert all(torch.equal(a, e) for a, e in zip(averaged, expected, strict=True))
    assert all(torch.allclose(a, f, atol=1e-7) for a, f in zip(averaged, formula, strict=True))


def test_buffers_of_all_types_come_back_as_they_were_kept():
    net = network(0)
    snapshot = BufferSnapshot(net)
    kept = [buffer.clone() for buffer in net.buffers()]
    assert {buffer.dtype for buffer in kept} == {torch.float32, torch.int64}
    net(torch.rand(2, 3, 8, 8))
    assert not any(torch.equal(a, b) for a, b in zip(net.buffers(), kept, strict=True))
    snapshot.restore()
    assert all(torch.equal(a, b) for a, b in zip(net.buffers(), kept, strict=True))
    net(torch.rand(2, 3, 8, 8))
    snapshot.keep()
    now = [buffer.clone() for buffer in net.buffers()]
    snapshot.restore()
    assert all(torch.equal(a, b) for a, b in zip(net.buffers(), now, strict=True))


def test_the_averaged_network_is_where_they_are_kept():
    net, averaged = network(0), network(1)
    BufferSnapshot(net, averaged)
    assert all(torch.equal(a, b) for a, b in zip(net.buffers(), averaged.buffers(), strict=True))


def test_a_network_without_buffers_has_nothing_to_keep():
    net = nn.Conv2d(3, 4, 3)
    snapshot = BufferSnapshot(net)
    snapshot.keep()
    snapshot.restore()
