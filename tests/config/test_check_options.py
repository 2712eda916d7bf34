"""Whatever would end a run after it has touched the disk is said before, in one line that names the place."""

import copy

import pytest
import torch
from basicsr.archs import build_network

from s3net_plugin.config.check import check_options
from s3net_plugin.utils.errors import OptionError
from tests.conftest import change, tiny_options

SMALL = {'type': 'RRDBNet', 'num_in_ch': 8, 'num_out_ch': 3, 'num_feat': 4, 'num_block': 1, 'num_grow_ch': 4}
COSINE = {'type': 'CosineAnnealingRestartLR', 'periods': [2], 'restart_weights': [1]}


@pytest.fixture
def check(rendered):
    def run(changes, is_train=True, **how):
        check_options(change(tiny_options(rendered), changes), is_train=is_train, where='a.yml', **how)

    return run


@pytest.fixture
def complaint(check):
    def run(changes, **how):
        with pytest.raises(OptionError) as error:
            check(changes, **how)
        message = str(error.value)
        assert message.startswith('a.yml: ') and '\n' not in message
        return message.removeprefix('a.yml: ')

    return run


VAL = {'name': 'val', 'type': 'RGBDRelightPairedDataset'}
PAIRED = {'type': 'PairedImageDataset', 'name': 'x', 'batch_size_per_gpu': 2, 'num_worker_per_gpu': 0}
STOCK = {'model_type': 'SRModel', 'train:wssim_opt': ...}


@pytest.mark.parametrize(
    'changes',
    [
        {},
        STOCK,
        {'network_g': {**SMALL, 'scale': 1}},
        {'train:scheduler': COSINE},
        {'train:warmup_iter': -1, 'manual_seed': None, 'train:ema_decay': None},
        {**STOCK, 'train:perceptual_opt': {'type': 'S3NetPerceptualLoss', 'weights': 'random'}},
        {'val:metrics:psnr:better': 'higher', 'val:metrics:psnr:test_y_channel': True},
    ],
)
def test_what_works_is_accepted(check, changes):
    check(changes)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'name': 123}, 'name: 123 is not text'),
        ({'name': 'a/b'}, "name: 'a/b' cannot be the name of a folder"),
        ({'name': 'n' * 254}, 'cannot be the name of a folder'),
        ({'manual_seed': 5_000_000_000}, 'manual_seed: 5000000000 is not a whole number from 0 to 2147483647'),
        ({'datasets:val_2': VAL}, 'datasets:val_2:name: datasets:val has the same; give each its own'),
        ({'datasets': {}}, 'datasets: none is given'),
        ({'network_d': {'type': 'VGGStyleDiscriminator'}}, "unknown option 'network_d'"),
        ({'model_type': 'SRGANModel'}, "the option 'network_d' is missing"),
        ({'dist_params': 'nccl'}, 'dist_params: expected a section'),
        ({'datasets:train:persistent_workers': True}, 'datasets:train:persistent_workers: there are none'),
        ({'val:save_img': 'false'}, "val:save_img: 'false' is not true or false"),
        ({'val:metrics:psnr:test_y_channel': 'yes'}, "val:metrics:psnr:test_y_channel: 'yes' is not true or false"),
        ({'logger:use_tb_logger': 'false'}, "logger:use_tb_logger: 'false' is not true or false"),
        ({'path:strict_load_g': 'no'}, "path:strict_load_g: 'no' is not true or false"),
        ({'path:ignore_resume_networks': 5}, 'path:ignore_resume_networks: 5 is not a list'),
        ({'val:val_freq': 2.5}, 'val:val_freq: 2.5 is not a number of iterations'),
        ({'train:total_iter': 4.5}, 'train:total_iter: 4.5 is not a number of iterations'),
        ({'train:optim_g:lr': True}, 'train:optim_g:lr: True is not a number'),
        ({'train:optim_g:capturable': True}, 'train:optim_g: '),
        ({'train:optim_g': 'Adam'}, 'train:optim_g: expected a section'),
        ({'train:sync_bn': True}, 'train: sync_bn: needs GPUs'),
        ({'train:scheduler:milestones': [2.5]}, 'train:scheduler:milestones: [2.5] are not numbers of iterations'),
        ({'train:scheduler': {**COSINE, 'periods': [0, 4]}}, 'train:scheduler:periods: [0, 4] are not numbers'),
        ({'name': ''}, "name: '' cannot be"),
        ({'manual_seed': 'abc'}, "manual_seed: 'abc' is not a whole number"),
        ({'scale': 2}, '`scale` is 2, but relighting keeps the size'),
        ({'network_g': ...}, "the option 'network_g' is missing"),
        ({'network_g:residual': 'false'}, "network_g:residual: 'false' is not true or false"),
        ({'network_g:in_channels': True}, 'network_g:in_channels: True is not a whole number'),
        ({'network_g:upsampling': 3}, 'network_g:upsampling: 3 is not a list'),
        ({'dist_params': {'backend': 'ncl'}}, "dist_params:backend: 'ncl' is unknown; did you mean 'nccl'?"),
        ({'dist_params': {'prot': 1}}, "dist_params: unknown option 'prot'; did you mean 'port'?"),
        ({'datasets:val:name': 5}, 'datasets:val:name: 5 is not text'),
        ({'datasets:train:batch_size_per_gpu': 1000}, '120 samples (enlarged: 120 a process) do not fill one batch'),
        ({'datasets:train:num_worker_per_gpu': -1}, 'datasets:train:num_worker_per_gpu: -1'),
        ({'datasets:train': PAIRED}, "datasets:train: 'io_backend' is missing"),
        ({'datasets:train:dataset_enlarge_ratio': None}, 'datasets:train:dataset_enlarge_ratio: None is not a number'),
        ({'datasets:train:prefetch_mode': 'cuda'}, 'datasets:train:prefetch_mode: cuda needs a GPU'),
        ({'datasets:train:type': 'PairedImageDataset'}, "unknown option 'dataroot'; did you mean 'dataroot_"),
        ({'train:total_iter': None}, 'train:total_iter: None is not a number of iterations'),
        ({'train:warmup_iter': 'abc'}, "train:warmup_iter: 'abc' is not a number of iterations"),
        ({'train:ema_decay': 2}, 'train:ema_decay: 2 is not a number from 0'),
        ({'train:optim_g:lr': -1}, 'train:optim_g: Invalid learning rate: -1'),
        ({'train:optim_g:betas': 0.9}, 'train:optim_g:betas: 0.9 is not a list'),
        ({'train:optim_g:fused': 'yes'}, "train:optim_g:fused: 'yes' is not true or false"),
        ({'train:optim_g': {'type': 'LBFGS', 'lr': 1}}, "train:optim_g:type: no optimizer 'LBFGS'"),
        ({**STOCK, 'train:optim_g': {'type': 'NAdam', 'lr': 1}}, "train:optim_g:type: no optimizer 'NAdam'"),
        ({'train:scheduler:milestones': 100}, 'train:scheduler:milestones: 100 is not a list of numbers'),
        ({'train:scheduler:gamma': 'x'}, "train:scheduler:gamma: 'x' is not a number"),
        ({'train:scheduler': {**COSINE, 'periods': 2}}, 'train:scheduler:periods: 2 is not a list of numbers'),
        ({'train:scheduler': {**COSINE, 'periods': [2, 2]}}, 'periods and restart_weights should have the same'),
        ({'train:scheduler': {**COSINE, 'periods': [1]}}, 'add up to 1, less than total_iter 2'),
        ({'train:optim_d': {'type': 'Adam', 'lr': 1}}, "train: unknown option 'optim_d'"),
        ({'train:fix_flow': 3}, "train: unknown option 'fix_flow'"),
        ({'model_type': 'SRModel'}, 'train: SRModel reads no wssim_opt; S3NetModel takes any number of losses'),
        ({**STOCK, 'train:perceptual_opt': {'type': 'S3NetCharbonnierLoss'}}, 'SRModel has this loss under pixel_opt'),
        ({'val:metrics': 'psnr'}, 'val:metrics: expected a section'),
        ({'val:metrics:psnr:cropborder': 2}, "val:metrics:psnr: unknown option 'cropborder'; did you mean"),
        ({'val:metrics:psnr:crop_border': ...}, "val:metrics:psnr: the option 'crop_border' is missing"),
        ({'val:metrics:psnr:better': 'up'}, "val:metrics:psnr:better: 'up' is neither higher nor lower"),
        ({'val:metrics:psnr:input_order': 'CHW'}, 'val:metrics:psnr:input_order: validation hands over HWC'),
        ({'val:metric': {}}, "val: unknown option 'metric'; did you mean 'metrics'?"),
        ({'logger:wandb': {'ofline': True}}, "logger:wandb: unknown option 'ofline'; did you mean 'offline'?"),
        (
            {'datasets:train': {**PAIRED, 'gt_sise': 8}},
            "datasets:train: unknown option 'gt_sise'; did you mean 'gt_size'",
        ),
        ({'path:pretrain_network_g': 5}, 'path:pretrain_network_g: 5 is not the path of a file'),
    ],
)
def test_a_wrong_value_is_named(complaint, changes, message):
    assert message in complaint(changes)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'val:metrics:psnr:crop_border': 16}, 'val:metrics:psnr: on the images in datasets:val, 32 x 32: it is not a'),
        (
            {'val:metrics': {'x': {'type': 'calculate_relight_ssim', 'mode': 'skimage7', 'crop_border': 13}}},
            '7 x 7 pixels',
        ),
        ({'val:metrics': {'x': {'type': 'calculate_niqe', 'crop_border': 0}}}, 'val:metrics:x: on the images in'),
        ({'train:pixel_opt': {'type': 'L1Loss', 'reduction': 'none'}}, 'L1Loss gives no single number; it needs'),
        ({'network_g:in_channels': 4}, 'datasets:train and network_g do not fit, its first sample is (8, 32, 32)'),
        ({'datasets:train:gt_size': 16}, 'S3Net needs H and W of at least 32'),
        ({'datasets:val:gt_size': 16}, 'datasets:val and network_g do not fit'),
        ({'network_g:out_channels': 1, 'network_g:residual': False}, 'network_g makes (1, 32, 32) of (8, 32, 32)'),
        ({'network_g': {**SMALL, 'scale': 2}}, 'network_g makes (3, 64, 64) of (8, 32, 32), but the target'),
        ({'train:wssim_opt:levels': 6}, 'train:wssim_opt: S3NetWaveletSSIMLoss does not take'),
        (
            {'train:gan_opt': {'type': 'GANLoss', 'gan_type': 'vanilla', 'loss_weight': 1}},
            'train:gan_opt: GANLoss does not take',
        ),
    ],
)
def test_parts_that_do_not_fit_each_other_are_named(complaint, changes, message):
    assert message in complaint(changes)


def test_processes_share_the_samples_of_an_epoch(check, complaint):
    batch = {'datasets:train:batch_size_per_gpu': 60}
    check(batch, processes=2)
    assert '(enlarged: 40 a process) do not fill' in complaint(batch, processes=3)


def weights(path, options, **content):
    net = build_network(copy.deepcopy(options))
    torch.save({'params': net.state_dict(), **content}, path)
    return {'path:pretrain_network_g': str(path)}


NETWORK = {'type': 'S3Net', 'encoder': 'resnet10t', 'residual': True}


def test_weights_that_fit_are_accepted_with_or_without_their_options(check, tmp_path):
    check(weights(tmp_path / 'a.pth', NETWORK))
    # what the file leaves out has the default; where the encoder's weights came from does not matter
    check(weights(tmp_path / 'b.pth', NETWORK, network_g={**NETWORK, 'in_channels': 8, 'encoder_weights': 'imagenet'}))


def test_weights_of_another_network_are_refused_by_its_options(check, complaint, tmp_path):
    other = {**NETWORK, 'residual': False}
    change = weights(tmp_path / 'a.pth', other, network_g=other)
    assert complaint(change) == (
        f'path:pretrain_network_g: {tmp_path}/a.pth was trained with another network_g: residual is false there and '
        'true here; make them equal'
    )
    check({**change, 'path:strict_load_g': False})


def test_weights_of_another_shape_are_refused(complaint, tmp_path):
    message = complaint(weights(tmp_path / 'a.pth', {**NETWORK, 'in_channels': 4}))
    assert f'{tmp_path}/a.pth does not fit network_g: shapes: encoder.conv1.0.weight is (24, 4, 3, 3)' in message


def test_a_misspelt_key_of_the_weights_is_refused(check, complaint, tmp_path):
    change = weights(tmp_path / 'a.pth', NETWORK)
    message = complaint({**change, 'path:param_key_g': 'parms'})
    assert "holds no 'parms' (it holds params; see path:param_key_g)" in message
    check({**change, 'path:param_key_g': 'params_ema'})  # BasicSR takes params then


def test_a_whole_checkpoint_is_no_state_dict(complaint, tmp_path):
    message = complaint({**weights(tmp_path / 'a.pth', NETWORK), 'path:param_key_g': None})
    assert message.endswith('a.pth does not fit network_g: params are no weights')


def test_weights_of_no_network_are_refused(complaint, tmp_path):
    torch.save({'state_dict': {}}, tmp_path / 'a.pth')
    message = complaint({'path:pretrain_network_g': str(tmp_path / 'a.pth')})
    assert 'scripts/import_released_weights.py' in message


def test_a_run_that_resumes_asks_for_no_other_weights(check, complaint):
    changes = {'network_g:encoder_weights': 'nowhere.pth', 'path:pretrain_network_g': 'nowhere.pth'}
    assert 'nowhere.pth' in complaint(changes)
    check(changes, resumes=True)


def test_wandb_without_a_key_is_named(complaint, monkeypatch, tmp_path):
    monkeypatch.setenv('NETRC', str(tmp_path / 'none'))
    for name in ('WANDB_API_KEY', 'WANDB_MODE'):
        monkeypatch.delenv(name, raising=False)
    pytest.importorskip('wandb')
    message = complaint({'logger:wandb': {'project': 'x'}})
    assert message == 'logger:wandb: nobody is logged in; run `wandb login`, or set offline: true'


def test_the_options_are_left_as_they_are(rendered):
    options = tiny_options(rendered)
    check_options(options, is_train=True, where='a.yml')
    assert options == tiny_options(rendered)
