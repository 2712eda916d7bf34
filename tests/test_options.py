"""Every shipped option file fits the code: all of it is checked as the command does, on rendered data of its layout."""

import pytest
import torch
from basicsr.archs import build_network
from basicsr.data import build_dataset

from s3net_plugin.config.check import check_options
from s3net_plugin.utils.yaml_file import read_option_file
from tests.conftest import ROOT

FILES = sorted(path.name for path in (ROOT / 'options').glob('*.yml'))


@pytest.mark.parametrize('name', FILES)
def test_a_shipped_option_file_is_accepted(name, layouts, tmp_path):
    opt = read_option_file(ROOT / 'options' / name)
    assert opt['num_gpu'] == 'auto'
    # What this machine lacks is put in: large images, and weights that would be downloaded or come from an earlier run.
    for dataset in opt['datasets'].values():
        assert not dataset['dataroot'].startswith('/')
        dataset['dataroot'] = str(layouts[dataset['layout']])
        if 'scenes' in dataset:
            dataset['scenes'] = [0, 2]
        if dataset.get('gt_size'):
            dataset |= {'gt_size': 32, 'batch_size_per_gpu': 2}
    opt['network_g'] |= {'encoder_weights': None} if 'encoder_weights' in opt['network_g'] else {}
    for loss in (value for key, value in opt.get('train', {}).items() if key.endswith('_opt')):
        if loss.get('weights') == 'imagenet' or loss['type'] == 'S3NetPerceptualLoss':
            loss['weights'] = 'random'
    if opt['path'].get('pretrain_network_g'):
        opt['path']['pretrain_network_g'] = str(tmp_path / 'net.pth')
        torch.save({'params': build_network(opt['network_g']).state_dict()}, tmp_path / 'net.pth')
    check_options(opt, is_train='train' in opt, where=name)
    for phase, dataset in opt['datasets'].items():
        sample = build_dataset({**dataset, 'phase': phase.split('_')[0], 'scale': opt['scale']})[0]
        assert sample['lq'].shape[0] == opt['network_g'].get('in_channels', 8)


def test_names_of_experiments_are_unique():
    names = [read_option_file(ROOT / 'options' / name)['name'] for name in FILES]
    assert len(names) == len(set(names)) >= 8
