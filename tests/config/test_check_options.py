"""Whatever would end a run after it has touched the disk is said before, in one line that names the place."""

import copy
import time

import numpy as np
import pytest
import torch
from basicsr.archs import build_network
from PIL import Image
from torch import nn

from s3net_plugin.config.check import check_options
from s3net_plugin.config.dry_run import dry_run
from s3net_plugin.models import S3NetModel
from s3net_plugin.utils.errors import OptionError
from tests.conftest import change, tiny_options

SMALL = {'type': 'RRDBNet', 'num_in_ch': 8, 'num_out_ch': 3, 'num_feat': 4, 'num_block': 1, 'num_grow_ch': 4}
COSINE = {'type': 'CosineAnnealingRestartLR', 'periods': [2], 'restart_weights': [1]}
VAL = {'name': 'val', 'type': 'RGBDRelightPairedDataset'}
PAIRED = {'type': 'PairedImageDataset', 'name': 'x', 'batch_size_per_gpu': 2, 'num_worker_per_gpu': 0}
STOCK = {'model_type': 'SRModel', 'train:wssim_opt': ...}
METRIC = {'type': 'calculate_relight_ssim', 'mode': 'skimage7', 'crop_border': 0}
RATIO = 'datasets:train:dataset_enlarge_ratio'


@pytest.fixture
def check(rendered):
    def run(changes, is_train=True, **how):
        options = change(tiny_options(rendered), changes)
        before = copy.deepcopy(options)
        check_options(options, is_train=is_train, where='a.yml', **how)
        assert options == before

    return run


@pytest.fixture
def complaint(check):
    def run(changes, **how):
        with pytest.raises(OptionError) as error:
            check(changes, **how)
        assert str(error.value).startswith('a.yml: ') and '\n' not in str(error.value)
        return error.value

    return run


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
        {'name': '1e-3', 'val:val_freq': 5.0e3, 'train:total_iter': 2.0, 'train:optim_g:lr': 1, RATIO: 1.5},
        {RATIO: 0.5, 'datasets:val:name': 'Vid4/BD', 'datasets:train:name': 2021, 'val:save_img': False},
    ],
)
def test_what_works_is_accepted_without_a_word(check, changes, capsys):
    check(changes)
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize(
    ('changes', 'place', 'words'),
    [
        ({'name': ...}, '', "the option 'name' is missing"),
        ({'name': 123}, 'name', '123 is not text; put it in quotes'),
        ({'name': 'a/b'}, 'name', "'a/b' cannot be the name of a folder"),
        ({'name': 'n' * 254}, 'name', 'cannot be the name of a folder'),
        ({'name': ''}, 'name', "'' cannot be"),
        ({'nmae': 'x', 'name': ...}, '', "the option 'name' is missing; did you mean 'nmae'?"),
        ({'find_unused_parameter': True}, '', "'find_unused_parameter'; did you mean 'find_unused_parameters'?"),
        ({'model_type': 'S3NetModle'}, 'model_type', "no model named 'S3NetModle' is registered; did you mean"),
        ({'num_gpu': 64}, 'num_gpu', '64 asked for, PyTorch sees none'),
        ({'num_gpu': 'all'}, 'num_gpu', "'all' is not 'auto' or a number of GPUs"),
        ({'manual_seed': 5_000_000_000}, 'manual_seed', '5000000000 is not a whole number from 0 to 2147483647'),
        ({'manual_seed': 'abc'}, 'manual_seed', "'abc' is not a whole number"),
        ({'scale': 0}, 'scale', '0 is not a number, at least 1'),
        ({'model_type': 'SRGANModel'}, '', "the option 'network_d' is missing; did you mean 'network_g'?"),
        ({'network_g': ...}, '', "the option 'network_g' is missing"),
        ({'network_g': 5}, 'network_g', 'expected a section of options, got 5'),
        ({'network_g:residual': 'false'}, 'network_g:residual', "'false' is not true or false"),
        ({'network_g:in_channels': True}, 'network_g:in_channels', 'True is not a whole number'),
        ({'network_g:upsampling': 3}, 'network_g:upsampling', '3 is not a list'),
        ({'network_g:type': 'S3Nt'}, 'network_g:type', "no arch named 'S3Nt' is registered; did you mean"),
        ({'network_g:encoder': 'resnet10x'}, 'network_g', 'resnet10x'),
        ({'network_g:encodr': 'x'}, 'network_g', "unknown option 'encodr'; did you mean 'encoder'?"),
        ({'dist_params': 'nccl'}, 'dist_params', 'expected a section'),
        ({'dist_params': {'backend': 'ncl'}}, 'dist_params:backend', "'ncl' is unknown; did you mean 'nccl'?"),
        ({'dist_params': {'prot': 1}}, 'dist_params', "unknown option 'prot'; did you mean 'port'?"),
        ({'dist_params': {'port': 'x'}}, 'dist_params:port', "'x' is not a number"),
        ({'train:pixel_opt:loss_weight': '1/32'}, 'train:pixel_opt:loss_weight', "the text '1/32', not a number"),
        # data sets
        ({'datasets': {}}, 'datasets', 'none is given'),
        ({'datasets:test': VAL}, 'datasets:test', 'a training file has datasets named train or val'),
        ({'datasets:val_2': VAL}, 'datasets:val_2:name', 'datasets:val has the same; give each its own'),
        ({'datasets:val:name': 5}, 'datasets:val:name', '5 is a number, of which BasicSR can make no folder'),
        ({'datasets:val:name': '../x'}, 'datasets:val:name', "'../x' cannot be the name of a folder"),
        ({'datasets:val:type': 'RGBDPaired'}, 'datasets:val:type', "no dataset named 'RGBDPaired'"),
        ({'datasets:train:dataroot': 'nowhere'}, 'datasets:train:dataroot', 'https://github.com/majedelhelou/VIDIT'),
        ({'datasets:train:gt_size': 4096}, 'datasets:train', 'too small for `gt_size: 4096`'),
        ({'scale': 2}, 'datasets:train:scale', '2, but relighting keeps the size; it must be 1'),
        ({'datasets:train:persistent_workers': True}, 'datasets:train:persistent_workers', 'there are none with'),
        ({'datasets:train:num_worker_per_gpu': -1}, 'datasets:train:num_worker_per_gpu', '-1 is not a number, at'),
        ({'datasets:train:batch_size_per_gpu': ...}, 'datasets:train', "'batch_size_per_gpu' is missing"),
        ({RATIO: None}, RATIO, 'None is not a number above 0'),
        ({RATIO: 0}, RATIO, '0 is not a number above 0'),
        ({'datasets:train:prefetch_mode': 'cuda'}, 'datasets:train:prefetch_mode', 'cuda needs a GPU'),
        ({'datasets:train': PAIRED}, 'datasets:train', "'io_backend' is missing"),
        ({'datasets:train:type': 'PairedImageDataset'}, 'datasets:train', "did you mean 'dataroot'?"),
        ({'datasets:train': {**PAIRED, 'gt_sise': 8}}, 'datasets:train', "option 'gt_sise'; did you mean 'gt_size'"),
        # training
        ({'train': 3}, 'train', 'expected a section of options, got 3'),
        ({'train:totl_iter': 4}, 'train', "unknown option 'totl_iter'; did you mean 'total_iter'"),
        (
            {'train:pixel_opt': ..., 'train:wssim_opt': ...},
            'train',
            'no loss; give at least one option that ends in _opt',
        ),
        ({'train:pixel_opt:type': 'S3NetCharbonier'}, 'train:pixel_opt:type', 'no loss named'),
        ({'train:pixel_opt:epss': 1}, 'train:pixel_opt', "unknown option 'epss'; did you mean 'eps'"),
        ({'train:total_iter': 4.5}, 'train:total_iter', '4.5 is not a number of iterations, at least 1'),
        ({'train:total_iter': None}, 'train:total_iter', 'None is not a number of iterations'),
        ({'train:warmup_iter': 'abc'}, 'train:warmup_iter', "'abc' is not a number of iterations, at least -1"),
        ({'train:ema_decay': 2}, 'train:ema_decay', '2 is not a number from 0 (no average) to below 1'),
        ({'train:optim_g': 'Adam'}, 'train:optim_g', "'Adam' is not a section of options"),
        ({'train:optim_g:type': 'Adamm'}, 'train:optim_g:type', "no optimizer 'Adamm'; did you mean"),
        ({'train:optim_g:learning_rate': 1}, 'train:optim_g', "unknown option 'learning_rate'"),
        ({'train:optim_g:lr': True}, 'train:optim_g:lr', 'True is not a number'),
        ({'train:optim_g:lr': float('nan')}, 'train:optim_g:lr', 'nan is not a number'),
        ({'train:optim_g:lr': -1}, 'train:optim_g', 'Invalid learning rate: -1'),
        ({'train:optim_g:betas': ['1e-3', 0.9]}, 'train:optim_g:betas:0', "the text '1e-3', not a number"),
        ({'train:optim_g:betas': 0.9}, 'train:optim_g:betas', '0.9 is not a list'),
        ({'train:optim_g:fused': 'yes'}, 'train:optim_g:fused', "'yes' is not true or false"),
        ({'train:optim_g:capturable': True}, 'train:optim_g', 'capturable'),
        ({'train:optim_g': {'type': 'LBFGS', 'lr': 1}}, 'train:optim_g:type', "no optimizer 'LBFGS'"),
        ({**STOCK, 'train:optim_g': {'type': 'NAdam', 'lr': 1}}, 'train:optim_g:type', "no optimizer 'NAdam'"),
        ({'train:scheduler:type': 'StepLR'}, 'train:scheduler:type', "'StepLR' is unknown; did you mean"),
        ({'train:scheduler:milestones': [2.5]}, 'train:scheduler:milestones', '[2.5] are not numbers of iterations'),
        ({'train:scheduler:milestones': 100}, 'train:scheduler:milestones', '100 is not a list of numbers'),
        ({'train:scheduler:gamma': 'x'}, 'train:scheduler:gamma', "'x' is not a number"),
        ({'train:scheduler': {**COSINE, 'periods': [0, 4]}}, 'train:scheduler:periods', 'iterations, at least 1'),
        ({'train:scheduler': {**COSINE, 'periods': 2}}, 'train:scheduler:periods', '2 is not a list of numbers'),
        ({'train:scheduler': {**COSINE, 'periods': [2, 2]}}, 'train:scheduler', 'periods and restart_weights should'),
        ({'train:scheduler': {**COSINE, 'periods': [1]}}, 'train:scheduler:periods', 'add up to 1, less than'),
        ({'train:sync_bn': True}, 'train:sync_bn', 'needs GPUs'),
        ({'train:optim_d': {'type': 'Adam', 'lr': 1}}, 'train', "unknown option 'optim_d'; did you mean 'optim_g'?"),
        ({'train:fix_flow': 3}, 'train', "unknown option 'fix_flow'"),
        (
            {**STOCK, 'train:pixel_opt': ..., 'train:pixle_opt': {}},
            'train',
            "unknown option 'pixle_opt'; did you mean 'pixel_opt'?",
        ),
        (
            {**STOCK, 'train:perceptual_opt': {'type': 'S3NetCharbonnierLoss'}},
            *('train:perceptual_opt', 'SRModel has this loss under pixel_opt'),
        ),
        # the rest
        ({'val:metrics': ..., 'val:metric': {}}, 'val', "unknown option 'metric'; did you mean 'metrics'?"),
        ({'val:save_img': 'false'}, 'val:save_img', "'false' is not true or false"),
        ({'val:val_freq': 2.5}, 'val:val_freq', '2.5 is not a number of iterations'),
        ({'val:val_freq': ...}, 'val', "the option 'val_freq' is missing"),
        ({'val:metrics': 'psnr'}, 'val:metrics', 'expected a section'),
        ({'datasets:val': ..., 'val:metrics:x': {'type': 'no'}}, 'val:metrics:x:type', "no metric named 'no'"),
        ({'val:metrics:psnr:test_y_chanel': 2}, 'val:metrics:psnr', "'test_y_chanel'; did you mean 'test_y_channel'?"),
        ({'val:metrics:psnr:crop_border': ...}, 'val:metrics:psnr', "the option 'crop_border' is missing"),
        ({'val:metrics:psnr:crop_border': 1.5}, 'val:metrics:psnr:crop_border', '1.5 is not a whole number of pixels'),
        ({'val:metrics:psnr:test_y_channel': 'yes'}, 'val:metrics:psnr:test_y_channel', "'yes' is not true or false"),
        ({'val:metrics:psnr:better': 'up'}, 'val:metrics:psnr:better', "'up' is not higher or lower"),
        ({'val:metrics:psnr:input_order': 'CHW'}, 'val:metrics:psnr:input_order', 'HWC, which validation hands over'),
        ({'val:metrics:x': {**METRIC, 'sigma': 2}}, 'val:metrics:x', "unknown option 'sigma'"),
        ({'logger:print_freq': 0}, 'logger:print_freq', '0 is not a number of iterations, at least 1'),
        ({'logger:use_tb_logger': 'false'}, 'logger:use_tb_logger', "'false' is not true or false"),
        ({'logger:wandb': {'ofline': True}}, 'logger:wandb', "unknown option 'ofline'; did you mean 'offline'?"),
        ({'path:results_rot': None}, 'path', "'results_rot'; did you mean 'results_root'?"),
        ({'path:pretrain_model_g': 'net.pth'}, 'path', "unknown option 'pretrain_model_g'"),
        ({'path:strict_load_g': 'no'}, 'path:strict_load_g', "'no' is not true or false"),
        ({'path:ignore_resume_networks': 5}, 'path:ignore_resume_networks', '5 is not a list'),
        ({'path:pretrain_network_g': 'no.pth'}, 'path:pretrain_network_g', 'no.pth: no such file'),
        ({'path:pretrain_network_g': 5}, 'path:pretrain_network_g', '5 is not the path of a file'),
        # parts that do not fit each other
        ({'val:metrics:psnr:crop_border': 16}, 'val:metrics:psnr', 'on the images in datasets:val, 32 x 32: it is not'),
        ({'val:metrics:x': {**METRIC, 'crop_border': 13}}, 'val:metrics:x', '7 x 7 pixels'),
        ({'val:metrics:x': {'type': 'calculate_niqe', 'crop_border': 0}}, 'val:metrics:x', 'on the images in'),
        ({'train:pixel_opt': {'type': 'L1Loss', 'reduction': 'none'}}, 'train:pixel_opt', 'L1Loss gives no single'),
        ({'network_g:in_channels': 4}, 'datasets:train', 'network_g do not fit, its first sample is (8, 32, 32)'),
        ({'datasets:train:gt_size': 16}, 'datasets:train', 'S3Net needs H and W of at least 32'),
        ({'datasets:val:gt_size': 16}, 'datasets:val', 'it and network_g do not fit'),
        ({'network_g:out_channels': 1, 'network_g:residual': False}, 'datasets:train', 'makes (1, 32, 32) of (8, 32'),
        ({'network_g': {**SMALL, 'scale': 2}}, 'datasets:train', 'makes (3, 64, 64) of (8, 32, 32), but the target'),
        ({'train:wssim_opt:levels': 6}, 'train:wssim_opt', 'S3NetWaveletSSIMLoss does not take'),
        ({'train:gan_opt': {'type': 'GANLoss', 'gan_type': 'vanilla'}}, 'train:gan_opt', 'GANLoss does not take'),
        ({'datasets:train:batch_size_per_gpu': 1000}, '', '120 samples (enlarged: 120 a process) do not fill one'),
    ],
)
def test_what_is_wrong_is_named_with_its_place(complaint, changes, place, words):
    error = complaint(changes)
    assert error.place == place
    assert words in str(error)


@pytest.mark.parametrize(
    ('changes', 'unread'),
    [
        ({'save_img': True, 'train:wssim_opt': {'type': 'L1Loss'}}, 'save_img, train:wssim_opt'),
        ({**STOCK, 'train:lr_flow': 0, 'train:net_d_init_iters': 0}, 'train:lr_flow, train:net_d_init_iters'),
        ({'val:metrics:psnr:num_thread': 8, 'val:note': 'x'}, 'val:note, val:metrics:psnr:num_thread'),
        ({'network_d': {'type': 'none'}, 'logger:colour': 1}, 'network_d, logger:colour'),
    ],
)
def test_what_stock_code_passes_over_is_named_in_one_line_by_the_first_process(
    check, changes, unread, capsys, monkeypatch
):
    check({**STOCK, **changes})
    assert capsys.readouterr().out == f'a.yml: nothing reads {unread}\n'
    monkeypatch.setenv('RANK', '1')
    check({**STOCK, **changes})
    assert capsys.readouterr().out == ''


def test_processes_share_the_samples_of_an_epoch(check, complaint):
    batch = {'datasets:train:batch_size_per_gpu': 60}
    check(batch, processes=2)
    assert '(enlarged: 40 a process) do not fill' in str(complaint(batch, processes=3))


class LargeImages(torch.utils.data.Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return {'lq': torch.rand(3, 256, 256), 'gt': torch.rand(3, 512, 512)}


class ByValue(nn.Module):
    """A network whose shapes depend on values, so that it has to be computed."""

    def __init__(self, smallest=1):
        super().__init__()
        self.smallest, self.sides = smallest, []

    def forward(self, images):
        self.sides.append(images.shape[-1] if images.max().item() < 2 else 0)
        if images.shape[-1] < self.smallest or self.training:
            raise ValueError('too small, or not for inference')
        return images.repeat(1, 1, 2, 2)


def rehearse_large(net, losses=(), metrics=None):
    opt = {'num_gpu': 0, 'datasets': {'train': {}, 'val': {}}, 'val': {'metrics': metrics}}
    sets = {phase: LargeImages() for phase in opt['datasets']}
    dry_run(opt, S3NetModel, sets, net, dict(losses))


def test_a_large_network_is_tried_in_two_seconds():
    net = build_network({'type': 'EDSR', 'num_in_ch': 3, 'num_out_ch': 3, 'num_feat': 256, 'num_block': 32,
                         'upscale': 2, 'res_scale': 0.1, 'img_range': 255, 'rgb_mean': [0.4, 0.4, 0.4]})  # fmt: skip
    start = time.process_time()
    rehearse_large(net, metrics={'ssim': {'type': 'calculate_ssim', 'crop_border': 2}})
    assert time.process_time() - start < 2


@pytest.mark.parametrize(('smallest', 'sides'), [(1, [64, 64]), (100, [64, 256, 64, 256])])
def test_a_network_that_has_to_be_computed_sees_a_corner_or_the_whole_where_it_refuses_that(smallest, sides):
    net = ByValue(smallest)
    rehearse_large(net)
    assert net.sides == sides


def test_a_network_that_takes_corners_only_is_refused():
    class UpTo100(nn.Module):
        def forward(self, images):
            return images + torch.zeros(100, 100, device=images.device)[: images.shape[2], : images.shape[3]]

    with pytest.raises(OptionError, match=r'its first sample is \(3, 256, 256\): .*100'):
        rehearse_large(UpTo100())


def test_a_loss_that_refuses_a_corner_sees_the_whole():
    sides = []

    def loss(pred, target):
        sides.append(pred.shape[-1])
        assert pred.shape[-1] >= 100
        return pred.mean()

    rehearse_large(ByValue(), losses={'x_opt': loss})
    assert sides == [64, 512]


def write_clips(folder, *lengths):
    for kind, side in (('lq', 16), ('gt', 64)):
        for number, length in enumerate(lengths):
            (folder / kind / f'clip{number}').mkdir(parents=True)
            for frame in range(length):
                image = np.zeros((side, side, 3), np.uint8)
                Image.fromarray(image).save(folder / kind / f'clip{number}/{frame:08d}.png')
    return {
        'name': 'Vid4', 'type': 'VideoTestDataset', 'dataroot_gt': str(folder / 'gt'), 'num_frame': 7,
        'dataroot_lq': str(folder / 'lq'), 'io_backend': {'type': 'disk'}, 'cache_data': False,
        'padding': 'reflection_circle',
    }  # fmt: skip


VIDEO = {'model_type': 'VideoBaseModel', 'scale': 4, 'network_g': {'type': 'TOFlow'}, 'val:suffix': None}


@pytest.mark.parametrize(('lengths', 'short'), [((7, 2), 'clip1 has 2 frames'), ((4,), 'clip0 has 4 frames')])
def test_a_clip_shorter_than_the_window_is_named(complaint, tmp_path, lengths, short):
    changes = {**VIDEO, 'datasets': {'test': write_clips(tmp_path, *lengths)}, 'val:metrics': None}
    error = complaint(changes, is_train=False)
    assert error.place == 'datasets:test'
    assert f'the clip {short}, fewer than num_frame: 7; use a smaller num_frame' in str(error)


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU to score on')
def test_a_video_model_asks_for_metrics_and_scores_on_a_gpu_only(check, complaint, tmp_path):
    changes = {**VIDEO, 'datasets': {'test': write_clips(tmp_path, 7)}}
    error = complaint(changes, is_train=False)
    assert error.place == 'val:metrics' and 'VideoBaseModel scores on a GPU only; write metrics: ~' in str(error)
    error = complaint({**changes, 'val:metrics': ...}, is_train=False)
    assert error.place == 'val' and "'metrics' is missing, which VideoBaseModel reads; write metrics: ~" in str(error)
    check({**changes, 'val:metrics': None, 'save_img': True}, is_train=False)


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
    assert str(complaint(change)) == (
        f'a.yml: path:pretrain_network_g: {tmp_path}/a.pth was trained with another network_g: residual is false there '
        'and true here; make them equal'
    )
    check({**change, 'path:strict_load_g': False})


def test_weights_that_do_not_fit_are_refused(check, complaint, tmp_path):
    change = weights(tmp_path / 'a.pth', NETWORK)
    assert "holds no 'parms' (it holds params; see path:param_key_g)" in str(
        complaint({**change, 'path:param_key_g': 'parms'})
    )
    assert str(complaint({**change, 'path:param_key_g': None})).endswith('not fit network_g: params are no weights')
    check({**change, 'path:param_key_g': 'params_ema'})  # BasicSR takes params then
    change = weights(tmp_path / 'b.pth', {**NETWORK, 'in_channels': 4})
    assert 'b.pth does not fit network_g: shapes: encoder.conv1.0.weight is (24, 4, 3, 3)' in str(complaint(change))
    torch.save({'state_dict': {}}, tmp_path / 'c.pth')
    error = complaint({'path:pretrain_network_g': str(tmp_path / 'c.pth')})
    assert error.place == 'path:pretrain_network_g' and 'scripts/import_released_weights.py' in str(error)


def test_a_run_that_resumes_asks_for_no_other_weights(check, complaint):
    changes = {'network_g:encoder_weights': 'nowhere.pth', 'path:pretrain_network_g': 'nowhere.pth'}
    assert 'nowhere.pth' in str(complaint(changes))
    check(changes, resumes=True)


def test_wandb_without_a_key_is_named(complaint, monkeypatch, tmp_path):
    monkeypatch.setenv('NETRC', str(tmp_path / 'none'))
    for name in ('WANDB_API_KEY', 'WANDB_MODE'):
        monkeypatch.delenv(name, raising=False)
    pytest.importorskip('wandb')
    error = complaint({'logger:wandb': {'project': 'x'}})
    assert str(error) == 'a.yml: logger:wandb: nobody is logged in; run `wandb login`, or set offline: true'
