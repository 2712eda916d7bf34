"""The three losses of S3Net, each as a function of two image batches and as a class for BasicSR's option files."""

from s3net_plugin.losses.charbonnier import S3NetCharbonnierLoss, charbonnier
from s3net_plugin.losses.perceptual import S3NetPerceptualLoss, perceptual_loss
from s3net_plugin.losses.ssim import ssim_map
from s3net_plugin.losses.vgg import VGG19Features
from s3net_plugin.losses.wavelet import WaveletBands, WaveletFilters, dwt2, minimum_side, wavelet_filters
from s3net_plugin.losses.wavelet_ssim import S3NetWaveletSSIMLoss, wavelet_ssim_loss

__all__ = [
    'S3NetCharbonnierLoss',
    'S3NetPerceptualLoss',
    'S3NetWaveletSSIMLoss',
    'VGG19Features',
    'WaveletBands',
    'WaveletFilters',
    'charbonnier',
    'dwt2',
    'minimum_side',
    'perceptual_loss',
    'ssim_map',
    'wavelet_filters',
    'wavelet_ssim_loss',
]
