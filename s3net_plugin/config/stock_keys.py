"""The keys that BasicSR 1.4.2 reads, and those that published option files hold although nothing reads them."""

from __future__ import annotations


def _keys(names: str) -> set[str]:
    return set(names.split())


def _twice(names: str) -> set[str]:
    """Of the first and the second degradation of Real-ESRGAN."""
    return {f'{name}{number}' for name in names.split() for number in ('', '2')}


TOP = _keys('name model_type scale num_gpu manual_seed datasets path train val logger dist_params crop_border')
TOP |= {'find_unused_parameters'}
VAL = _keys('val_freq save_img suffix metrics pbar flip_seq center_frame_only num_val_samples')
LOGGER = _keys('print_freq save_checkpoint_freq use_tb_logger wandb')
WANDB = _keys('project resume_id offline')
DIST_PARAMS = _keys('backend port')

_DEGRADATION = _keys('high_order_degradation queue_size gt_size second_blur_prob') | _twice(
    'resize_prob resize_range gaussian_noise_prob gray_noise_prob noise_range poisson_scale_range jpeg_range'
)
# A model reads its own keys and those of the classes that it inherits from.
OF_MODELS: dict[str, set[str]] = {
    'SRModel': {'network_g'},
    'SRGANModel': {'network_d'},
    'HiFaceGANModel': {'network_d'},
    'RealESRGANModel': _DEGRADATION | _keys('l1_gt_usm percep_gt_usm gan_gt_usm'),
    'RealESRNetModel': _DEGRADATION | {'gt_usm'},
    'StyleGAN2Model': _keys('network_g network_d'),
    'VideoRecurrentGANModel': {'network_d'},
}
_GAN = _keys('optim_d gan_opt net_d_iters net_d_init_iters')
OF_TRAIN: dict[str, set[str]] = {
    'BaseModel': _keys('optim_g scheduler total_iter warmup_iter'),
    'SRModel': _keys('ema_decay pixel_opt perceptual_opt'),
    'SRGANModel': _GAN | {'ldl_opt'},
    'HiFaceGANModel': _GAN | {'feature_matching_opt'},
    'EDVRModel': _keys('dcn_lr_mul tsa_iter'),
    'VideoRecurrentModel': _keys('flow_lr_mul fix_flow'),
    'VideoRecurrentGANModel': _GAN | {'lr_flow'},
    'StyleGAN2Model': _keys('optim_d gan_opt mixing_prob net_d_reg_every net_g_reg_every')
    | _keys('path_batch_shrink path_reg_weight r1_reg_weight'),
}

# Of every data set; BasicSR reads no use_shuffle, but has it in all its files.
DATASET = _keys('name type io_backend batch_size_per_gpu num_worker_per_gpu dataset_enlarge_ratio')
DATASET |= _keys('prefetch_mode num_prefetch_queue pin_memory persistent_workers use_shuffle')
_PAIRED = _keys('dataroot_gt dataroot_lq filename_tmpl gt_size use_hflip use_rot mean std')
_CLIPS = _keys('dataroot_gt dataroot_lq meta_info_file num_frame gt_size use_hflip use_rot random_reverse')
_REDS = _CLIPS | _keys('val_partition interval_list')
_VIDEO_TEST = _keys('dataroot_gt dataroot_lq meta_info_file cache_data num_frame padding')
OF_DATASETS: dict[str, set[str]] = {
    'FFHQDataset': _keys('dataroot_gt use_hflip mean std'),
    'PairedImageDataset': _PAIRED | _keys('meta_info_file color'),
    'RealESRGANDataset': _keys('dataroot_gt meta_info use_hflip use_rot final_sinc_prob')
    | _twice('blur_kernel_size kernel_list kernel_prob sinc_prob blur_sigma betag_range betap_range'),
    'RealESRGANPairedDataset': _PAIRED | {'meta_info'},
    'REDSDataset': _REDS | {'dataroot_flow'},
    'REDSRecurrentDataset': _REDS | {'test_mode'},
    'SingleImageDataset': _keys('dataroot_lq meta_info_file color mean std'),
    'VideoTestDataset': _VIDEO_TEST,
    'VideoTestVimeo90KDataset': _VIDEO_TEST,
    'VideoTestDUFDataset': _VIDEO_TEST | {'use_duf_downsampling'},
    'Vimeo90KDataset': _CLIPS,
    'Vimeo90KRecurrentDataset': _CLIPS | {'flip_sequence'},
}

PUBLISHED = _keys('use_flip fix_iter artifacts_opt strict_load').union(
    *(TOP, VAL, LOGGER, WANDB, DIST_PARAMS, DATASET),
    *(keys for table in (OF_MODELS, OF_TRAIN, OF_DATASETS) for keys in table.values()),
)


def keys_of(table: dict[str, set[str]], cls: type) -> set[str]:
    """Return what a class reads, its bases included."""
    return set().union(*(table.get(base.__name__, ()) for base in cls.__mro__))
