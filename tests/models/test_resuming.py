import math

import pytest
import torch

from s3net_plugin.models.resuming import match_layout, recall_best
from s3net_plugin.utils.checkpoint import save_whole

METRICS = {'psnr': {'type': 'x'}, 'lpips': {'type': 'y', 'better': 'lower'}}


def results(psnr, lpips, iteration, name='val'):
    entry = {'psnr': {'better': 'higher', 'val': psnr, 'iter': iteration}}
    entry['lpips'] = {'better': 'lower', 'val': lpips, 'iter': iteration}
    return {'best_metric_results': {name: entry}}


def recall(tmp_path, state, best=None, names=('val',), metrics=METRICS):
    path = tmp_path / 'net_g_best.pth'
    if best is not None:
        save_whole(best, path)
    return recall_best(state, path, names, metrics)


def test_the_better_of_state_and_best_checkpoint_counts(tmp_path):
    merged = recall(tmp_path, results(20.0, 0.3, 100), results(21.0, 0.4, 200))
    assert (merged['val']['psnr']['val'], merged['val']['psnr']['iter']) == (21.0, 200)
    assert (merged['val']['lpips']['val'], merged['val']['lpips']['iter']) == (0.3, 100)


def test_data_sets_and_metrics_may_come_and_go(tmp_path):
    state = results(20.0, 0.3, 100, 'old')
    assert recall(tmp_path, state) == {}
    merged = recall(tmp_path, state, names=['old', 'new'], metrics={'psnr': METRICS['psnr'], 'ssim': {'type': 'z'}})
    assert merged.keys() == {'old'}
    assert merged['old']['psnr']['val'] == 20.0
    assert merged['old']['ssim'] == {'better': 'higher', 'val': -math.inf, 'iter': -1}


def test_a_metric_that_has_changed_its_direction_starts_anew(tmp_path):
    merged = recall(tmp_path, results(20.0, 0.3, 100), metrics={'lpips': {'type': 'y'}})
    assert merged['val']['lpips'] == {'better': 'higher', 'val': -math.inf, 'iter': -1}


def test_states_of_other_programs_know_no_results(tmp_path):
    assert recall(tmp_path, {'iter': 3}, {'params': {}}) == {}


def test_a_torn_best_checkpoint_does_not_stop_a_run(tmp_path):
    (tmp_path / 'net_g_best.pth').write_bytes(b'torn')
    assert recall(tmp_path, results(20.0, 0.3, 100))['val']['psnr']['val'] == 20.0


@pytest.mark.parametrize('kind', [torch.optim.Adam, torch.optim.SGD])
def test_the_state_of_an_optimizer_is_laid_out_like_its_parameters(kind):
    options = {'momentum': 0.9} if kind is torch.optim.SGD else {}
    weight = torch.nn.Parameter(torch.rand(4, 3, 5, 5))
    optimizer = kind([weight], lr=0.1, **options)
    weight.square().sum().backward()
    optimizer.step()
    weight.data = weight.data.to(memory_format=torch.channels_last)
    before = {name: value.clone() for name, value in optimizer.state[weight].items()}
    match_layout(optimizer)
    for name, value in optimizer.state[weight].items():
        assert torch.equal(value, before[name])
        assert value.ndim == 0 or value.stride() == weight.stride()
