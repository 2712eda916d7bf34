"""Option files as BasicSR and Real-ESRGAN publish them are accepted; what they hold in vain is named, and stays."""

import sys

import numpy as np
import pytest
from basicsr.models.sr_model import SRModel
from basicsr.utils.registry import ARCH_REGISTRY, DATASET_REGISTRY, MODEL_REGISTRY
from PIL import Image
from torch import nn
from torch.utils.data import Dataset

from s3net_plugin.config.check import check_options
from s3net_plugin.utils.errors import OptionError

ADAM = {'type': 'Adam', 'lr': 1.0e-4, 'weight_decay': 0, 'betas': [0.9, 0.99]}
L1 = {'type': 'L1Loss', 'loss_weight': 1.0, 'reduction': 'mean'}
GAN = {'optim_d': ADAM, 'net_d_iters': 1, 'net_d_init_iters': 0}
GAN |= {'gan_opt': {'type': 'GANLoss', 'gan_type': 'vanilla', 'real_label_val': 1.0, 'loss_weight': 0.1}}
SCHEDULER = {'type': 'MultiStepLR', 'milestones': [400000], 'gamma': 0.5}
RRDB = {'type': 'RRDBNet', 'num_in_ch': 3, 'num_out_ch': 3, 'num_feat': 4, 'num_block': 1, 'num_grow_ch': 4}
UNET = {'type': 'UNetDiscriminatorSN', 'num_in_ch': 3, 'num_feat': 4, 'skip_connection': True}
KERNELS = ['iso', 'aniso', 'generalized_iso', 'generalized_aniso', 'plateau_iso', 'plateau_aniso']
DEGRADATION = {
    'resize_prob': [0.2, 0.7, 0.1], 'resize_range': [0.15, 1.5], 'gaussian_noise_prob': 0.5, 'noise_range': [1, 30],
    'poisson_scale_range': [0.05, 3], 'gray_noise_prob': 0.4, 'jpeg_range': [30, 95],
}  # fmt: skip
DEGRADATION |= {f'{key}2': value for key, value in DEGRADATION.items()}
DEGRADATION |= {'second_blur_prob': 0.8, 'gt_size': 64, 'queue_size': 4}
USM = {'l1_gt_usm': True, 'percep_gt_usm': True, 'gan_gt_usm': False}
BLUR = {'blur_kernel_size': 21, 'kernel_list': KERNELS, 'kernel_prob': [0.45, 0.25, 0.12, 0.03, 0.12, 0.03]}
BLUR |= {'sinc_prob': 0.1, 'blur_sigma': [0.2, 3], 'betag_range': [0.5, 4], 'betap_range': [1, 2]}
BLUR |= {f'{key}2': value for key, value in BLUR.items()} | {'final_sinc_prob': 0.8, 'gt_size': 64}
FLIPS = {'use_hflip': True, 'use_rot': False}


@pytest.fixture
def images(tmp_path):
    """Images and clips of noise, high and low resolution, with their lists."""
    generator = np.random.default_rng(0)
    names = ['00000000.png', *(f'{clip:03d}/{frame:08d}.png' for clip in (0, 1) for frame in range(8))]
    for folder, side in (('gt', 256), ('lq', 64), ('up', 256)):
        for name in names:
            path = tmp_path / folder / ('clips' if '/' in name else 'images') / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(generator.integers(0, 256, (side, side, 3), np.uint8)).save(path)
    (tmp_path / 'meta.txt').write_text('00000000.png\n')
    (tmp_path / 'pairs.txt').write_text('gt/images/00000000.png, lq/images/00000000.png\n')
    (tmp_path / 'clips.txt').write_text('000 8 (256,256,3)\n001 8 (256,256,3)\n')
    return tmp_path


def roots(folder, kind, lq='lq'):
    return {'dataroot_gt': str(folder / 'gt' / kind), 'dataroot_lq': str(folder / lq / kind)}


def realesrgan(folder):
    return {'type': 'RealESRGANDataset', 'dataroot_gt': str(folder / 'gt/images'), **BLUR, **FLIPS,
            'meta_info': str(folder / 'meta.txt')}  # fmt: skip


def realesrgan_pairs(folder):
    root = {'dataroot_gt': str(folder), 'dataroot_lq': str(folder), 'meta_info': str(folder / 'pairs.txt')}
    return {'type': 'RealESRGANPairedDataset', **root, **FLIPS, 'gt_size': 64}


def ffhq(folder):
    half = [0.5, 0.5, 0.5]
    return {
        'type': 'FFHQDataset',
        'dataroot_gt': str(folder / 'gt/images'),
        'use_hflip': True,
        'mean': half,
        'std': half,
    }


def reds(folder):
    return {'type': 'REDSRecurrentDataset', **roots(folder, 'clips'), 'meta_info_file': str(folder / 'clips.txt'),
            'dataroot_flow': None, 'val_partition': 'REDS4', 'test_mode': False, 'num_frame': 3, 'gt_size': 64,
            'interval_list': [1], 'random_reverse': False, 'use_flip': True, **FLIPS}  # fmt: skip


def paired(folder):
    return {'type': 'PairedImageDataset', **roots(folder, 'images'), 'filename_tmpl': '{}', 'gt_size': 64, **FLIPS}


STYLE = {'out_size': 256, 'channel_multiplier': 1, 'resample_kernel': [1, 3, 3, 1]}
STYLE_TRAIN = {'r1_reg_weight': 10, 'path_batch_shrink': 2, 'path_reg_weight': 2, 'net_g_reg_every': 4}
STYLE_TRAIN |= {'net_d_reg_every': 16, 'mixing_prob': 0.9}
SIZE = 'datasets:train:gt_size'


@pytest.mark.parametrize(
    ('model', 'top', 'dataset', 'networks', 'train', 'unread'),
    [
        ('RealESRGANModel', {**DEGRADATION, **USM}, realesrgan, (RRDB, UNET), {'pixel_opt': L1, **GAN}, SIZE),
        ('RealESRNetModel', {**DEGRADATION, 'gt_usm': True}, realesrgan, (RRDB,), {'pixel_opt': L1}, SIZE),
        (
            'RealESRGANModel', {**USM, 'high_order_degradation': False}, realesrgan_pairs, (RRDB, UNET),
            {'pixel_opt': L1, **GAN}, '',
        ),
        (
            'RealESRGANModel', {**DEGRADATION, **USM}, realesrgan, (RRDB, UNET),
            {'pixel_opt': L1, 'ldl_opt': L1, 'artifacts_opt': L1, **GAN}, f'{SIZE}, train:artifacts_opt',
        ),
        (
            'StyleGAN2Model', {'scale': ...}, ffhq,
            ({'type': 'StyleGAN2Generator', **STYLE, 'num_style_feat': 8, 'num_mlp': 2, 'lr_mlp': 0.01},
             {'type': 'StyleGAN2Discriminator', **STYLE}),
            {**GAN, **STYLE_TRAIN, 'gan_opt': {'type': 'GANLoss', 'gan_type': 'wgan_softplus', 'loss_weight': 1.0}},
            'train:net_d_init_iters, train:net_d_iters',
        ),
        (
            'VideoRecurrentGANModel', {'find_unused_parameters': True}, reds,
            ({'type': 'BasicVSR', 'num_feat': 4, 'num_block': 1, 'spynet_path': None},
             {'type': 'VGGStyleDiscriminator', 'num_in_ch': 3, 'num_feat': 4, 'input_size': 256}),
            {'lr_flow': 0.0, 'fix_flow': None, 'pixel_opt': L1, **GAN},
            'datasets:train:dataroot_flow, datasets:train:use_flip',
        ),
        ('ESRGANModel', {}, paired, (RRDB, UNET), {'pixel_opt': L1, **GAN}, ''),
        ('SRModel', {}, paired, (RRDB,), {'pixel_opt': L1, 'fix_iter': 5000}, 'train:fix_iter'),
    ],
)  # fmt: skip
def test_a_training_file_is_accepted(images, capsys, model, top, dataset, networks, train, unread):
    opt = {
        'name': 'train', 'model_type': model, 'scale': 4, 'num_gpu': 'auto', 'manual_seed': 0, **top,
        'datasets': {'train': {
            'name': 'DF2K+OST', **dataset(images), 'io_backend': {'type': 'disk'}, 'use_shuffle': True,
            'num_worker_per_gpu': 5, 'batch_size_per_gpu': 1, 'dataset_enlarge_ratio': 1, 'prefetch_mode': None,
        }},
        **dict(zip(('network_g', 'network_d'), networks, strict=False)),
        'path': {'pretrain_network_g': None, 'param_key_g': 'params_ema', 'strict_load_g': None, 'resume_state': None},
        'train': {'optim_g': ADAM, 'scheduler': SCHEDULER, 'total_iter': 400000, 'warmup_iter': -1, **train},
        'val': {'val_freq': 5.0e3, 'save_img': True},
        'logger': {'print_freq': 100, 'save_checkpoint_freq': 5.0e3, 'use_tb_logger': True,
                   'wandb': {'project': None, 'resume_id': None}},
        'dist_params': {'backend': 'nccl', 'port': 29500},
    }  # fmt: skip
    opt = {key: value for key, value in opt.items() if value is not ...}
    check_options(opt, is_train=True, where='a.yml')
    assert capsys.readouterr().out == (f'a.yml: nothing reads {unread}\n' if unread else '')


def test_a_test_file_is_accepted(images, capsys):
    data = {'type': 'VideoTestDataset', **roots(images, 'clips', 'up'), 'io_backend': {'type': 'disk'}}
    opt = {
        'name': 'TOF_official', 'model_type': 'VideoBaseModel', 'scale': 4, 'num_gpu': 'auto', 'manual_seed': 0,
        'datasets': {'test': {
            'name': 'Vid4', **data, 'cache_data': False, 'num_frame': 7, 'padding': 'reflection_circle',
        }},
        'network_g': {'type': 'TOFlow', 'adapt_official_weights': True}, 'save_img': True,
        'path': {'pretrain_network_g': None, 'strict_load_g': True},
        'val': {'save_img': True, 'suffix': None, 'metrics': None},
    }  # fmt: skip
    check_options(opt, is_train=False, where='a.yml')
    assert capsys.readouterr().out == 'a.yml: nothing reads save_img\n'


class OwnWays(SRModel):
    """A model of another package with a scheduler and a way to load weights of its own."""

    def setup_schedulers(self):
        raise NotImplementedError


def plain(folder, **changes):
    train = {'name': 'x', **paired(folder), 'io_backend': {'type': 'disk'}, 'batch_size_per_gpu': 1}
    val = {**train, 'io_backend': {'type': 'disk'}, 'prefetch_mode': 'cuda'}
    return {
        'name': 'plain', 'model_type': 'SRModel', 'scale': 4, 'num_gpu': 0,
        'datasets': {'train': {**train, 'num_worker_per_gpu': 0}, 'val': val},
        'network_g': RRDB, 'path': {},
        'train': {'optim_g': ADAM, 'scheduler': SCHEDULER, 'total_iter': 4, 'pixel_opt': L1},
        'val': {'val_freq': 5.0e3, 'save_img': True},
        'logger': {'print_freq': 100, 'save_checkpoint_freq': 5.0e3, 'use_tb_logger': True}, **changes,
    }  # fmt: skip


@pytest.mark.parametrize('val', [{'val': None}, {'val': {'val_freq': 1, 'save_img': False}}])
def test_training_with_a_validation_set_needs_no_section_val_and_prefetches_in_training_only(images, val):
    check_options(plain(images, **val), is_train=True, where='a.yml')


def test_a_model_of_another_package_has_schedulers_and_weights_of_its_own(images, monkeypatch):
    monkeypatch.setitem(MODEL_REGISTRY._obj_map, 'OwnWays', OwnWays)
    opt = plain(images, model_type='OwnWays', path={'pretrain_network_g': 'weights.npz'})
    opt['train']['scheduler'] = {'type': 'CosineAnnealingLR', 'T_max': 400000}
    check_options(opt, is_train=True, where='a.yml')


def test_a_test_builds_no_discriminator_and_loads_no_weights_of_one(images):
    test = plain(images)['datasets']['val']
    opt = plain(images, model_type='SRGANModel', datasets={'test': test}, network_d={'type': 'of another package'})
    opt |= {'path': {'pretrain_network_d': 'nowhere.pth'}, 'val': {'save_img': False}}
    check_options(opt, is_train=False, where='a.yml')


def test_a_model_of_another_package_builds_networks_losses_optimizers_and_metrics_in_ways_of_its_own(
    images, monkeypatch
):
    monkeypatch.setitem(MODEL_REGISTRY._obj_map, 'OwnWays', OwnWays)
    train = {'total_iter': 4, 'own_opt': {'weight': 1}, 'optim_params': {'lr': 0.1}}
    opt = plain(images, model_type='OwnWays', network_e={'depth': 3}, network_f='small', train=train)
    opt['val'] = {'val_freq': 1, 'save_img': True, 'metrics': {'own': {'type': 'own'}}}
    check_options(opt, is_train=True, where='a.yml')
    test = plain(images, model_type='OwnWays', datasets={'test': plain(images)['datasets']['val']}, val=opt['val'])
    check_options(test, is_train=False, where='a.yml')


def own_setup(self):
    """In place of methods of BasicSR's models that set up losses and optimizers."""


@pytest.mark.parametrize('method', ['setup_optimizers', 'get_optimizer'])
def test_a_model_of_another_package_with_optimizers_of_its_own_takes_any(images, monkeypatch, method):
    monkeypatch.setitem(MODEL_REGISTRY._obj_map, 'Own', type('Own', (OwnWays,), {method: own_setup}))
    opt = plain(images, model_type='Own')
    opt['train']['optim_g'] = {'type': 'Lion', 'lr': 1.0e-3, 'cautious': True}
    check_options(opt, is_train=True, where='a.yml')
    monkeypatch.setitem(MODEL_REGISTRY._obj_map, 'Own', OwnWays)
    with pytest.raises(OptionError, match="no optimizer 'Lion'"):
        check_options(opt, is_train=True, where='a.yml')


@pytest.mark.parametrize('method', ['__init__', 'init_training_settings'])
def test_a_model_of_another_package_that_makes_its_losses_itself_needs_none_registered(images, monkeypatch, method):
    monkeypatch.setitem(MODEL_REGISTRY._obj_map, 'Own', type('Own', (OwnWays,), {method: own_setup}))
    opt = plain(images, model_type='Own')
    opt['train']['pixel_opt'] = {'type': 'PSNRLoss', 'toY': False}
    check_options(opt, is_train=True, where='a.yml')
    monkeypatch.setitem(MODEL_REGISTRY._obj_map, 'Own', OwnWays)
    with pytest.raises(OptionError, match="no loss named 'PSNRLoss'"):
        check_options(opt, is_train=True, where='a.yml')


def test_a_model_of_another_package_that_makes_its_networks_itself_needs_none_registered(images, monkeypatch):
    monkeypatch.setitem(MODEL_REGISTRY._obj_map, 'Own', type('Own', (OwnWays,), {'__init__': own_setup}))
    opt = plain(images, model_type='Own', network_vae={'type': 'VQModel', 'embed_dim': 4})
    check_options(opt, is_train=True, where='a.yml')
    monkeypatch.setitem(MODEL_REGISTRY._obj_map, 'Own', OwnWays)
    with pytest.raises(OptionError, match="no arch named 'VQModel'"):
        check_options(opt, is_train=True, where='a.yml')


def test_what_a_model_of_another_package_may_read_in_val_is_not_called_unread(images, monkeypatch, capsys):
    monkeypatch.setitem(MODEL_REGISTRY._obj_map, 'OwnWays', OwnWays)
    val = {'val_freq': 1, 'save_img': False, 'use_image': True, 'window_size': 4, 'sufix': 'x'}
    check_options(plain(images, model_type='OwnWays', val=val), is_train=True, where='a.yml')
    assert capsys.readouterr().out == ''


def test_the_scale_of_a_data_set_is_read_where_the_file_has_none_at_its_top(images, capsys):
    opt = plain(images)
    opt['datasets']['val']['scale'] = 4
    check_options(opt, is_train=True, where='a.yml')
    assert capsys.readouterr().out == 'a.yml: nothing reads datasets:val:scale\n'
    del opt['scale']
    opt['datasets']['train']['scale'] = 4
    check_options(opt, is_train=True, where='a.yml')
    assert capsys.readouterr().out == ''


def test_the_older_name_of_strict_load_g_is_only_named(images, capsys):
    check_options(plain(images, path={'strict_load': True, 'resume_state': None}), is_train=True, where='a.yml')
    assert capsys.readouterr().out == 'a.yml: nothing reads path:strict_load\n'


class AnySize(nn.Module):
    def __init__(self, size: int = 64):
        super().__init__()

    def forward(self, x):
        return nn.functional.interpolate(x, scale_factor=4)


class AnyScale(Dataset):
    pass


def test_annotations_of_other_packages_bind_nobody_and_their_data_sets_have_scales_of_their_own(images, monkeypatch):
    monkeypatch.setitem(ARCH_REGISTRY._obj_map, 'AnySize', AnySize)
    monkeypatch.setitem(DATASET_REGISTRY._obj_map, 'AnyScale', AnyScale)
    check_options(plain(images, network_g={'type': 'AnySize', 'size': [64, 48]}), is_train=True, where='a.yml')
    sets = {phase: {**options, 'type': 'AnyScale'} for phase, options in plain(images)['datasets'].items()}
    check_options(plain(images, datasets=sets, scale=[1.5, 4]), is_train=True, where='a.yml')


def test_a_number_in_quotes_is_a_text(images, monkeypatch):
    monkeypatch.setitem(ARCH_REGISTRY._obj_map, 'AnySize', AnySize)
    check_options(plain(images, network_g={'type': 'AnySize', 'size': ['64', '48']}), is_train=True, where='a.yml')
    with pytest.raises(OptionError, match="network_g:size: the text '6e1', not a number"):
        check_options(plain(images, network_g={'type': 'AnySize', 'size': '6e1'}), is_train=True, where='a.yml')


def test_what_basicsr_overwrites_or_takes_for_false_is_accepted(images, capsys):
    opt = plain(images, path={'root': '.', 'models': 'models', 'log': 'log'}, val={'val_freq': 1, 'save_img': None})
    opt['datasets']['train'] |= {'pin_memory': None, 'persistent_workers': None}
    opt['dist_params'] = {'backend': 'nccl', 'port': '29500'}
    check_options(opt, is_train=True, where='a.yml')
    assert capsys.readouterr().out == 'a.yml: nothing reads path:log, path:models, path:root\n'


def test_what_is_like_an_option_that_is_there_as_well_is_no_slip(images, capsys):
    opt = plain(images)
    opt['datasets']['train'] |= {'gt_sizes': [64], 'lq_size': 16, 'use_vflip': True}
    check_options(opt, is_train=True, where='a.yml')
    read = 'datasets:train:gt_sizes, datasets:train:lq_size, datasets:train:use_vflip'
    assert capsys.readouterr().out == f'a.yml: nothing reads {read}\n'
    opt['datasets']['train'].pop('use_hflip')
    with pytest.raises(OptionError, match="unknown option 'use_vflip'; did you mean 'use_hflip'"):
        check_options(opt, is_train=True, where='a.yml')


def test_nobody_needs_to_be_logged_in_for_a_run_that_wandb_is_not_told_of(images, monkeypatch):
    monkeypatch.setitem(sys.modules, 'wandb', None)
    logger = {'print_freq': 1, 'save_checkpoint_freq': 1, 'use_tb_logger': True, 'wandb': {'project': '7'}}
    check_options(plain(images, name='debug_it', logger=logger), is_train=True, where='a.yml')


@pytest.mark.parametrize('processes', [1, 2])
def test_more_gpus_may_be_asked_for_than_this_machine_has_if_it_has_one(images, monkeypatch, processes):
    with pytest.raises(OptionError, match='num_gpu: 8 asked for, PyTorch sees none'):
        check_options(plain(images, num_gpu=8), is_train=True, where='a.yml', processes=processes)
    monkeypatch.setattr('torch.cuda.device_count', lambda: 1)
    check_options(plain(images, num_gpu=8), is_train=True, where='a.yml', processes=processes)
