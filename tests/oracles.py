"""SSIM and the wavelet SSIM loss in the plainest way: dense windows, PyWavelets' bands, one call a band."""

import pywt
import torch
import torch.nn.functional as F


def ssim_map(pred, target, window_size=11):
    """SSIM at every pixel of (N, C, H, W): one dense Gaussian window (sigma 1.5), five depthwise convolutions."""
    offsets = torch.arange(window_size, dtype=pred.dtype) - window_size // 2
    window = torch.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    channels = pred.shape[1]
    weight = (window / window.sum()).expand(channels, 1, -1, -1)

    def blur(images):
        return F.conv2d(images, weight, padding=window_size // 2, groups=channels)

    mean_x, mean_y = blur(pred), blur(target)
    var_x, var_y = blur(pred**2) - mean_x**2, blur(target**2) - mean_y**2
    covariance = blur(pred * target) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + 1e-4) / (mean_x**2 + mean_y**2 + 1e-4)
    return luminance * (2 * covariance + 9e-4) / (var_x + var_y + 9e-4)


def wavelet_ssim(pred, target, levels=2, ratio=0.7):
    """The wavelet SSIM loss of (N, C, H, W) whose sides Haar halves evenly at every level; no gradient."""
    loss = -ssim_map(pred, target).mean()
    weight = 1.0
    for _ in range(levels):
        (pred, details), (target, target_details) = (
            pywt.dwt2(image.numpy(), 'haar', mode='periodization') for image in (pred, target)
        )
        weights = (weight * ratio * (1 - ratio), weight * ratio * (1 - ratio), weight * (1 - ratio) ** 2)
        for share, band, target_band in zip(weights, details, target_details, strict=True):
            loss -= share * ssim_map(torch.from_numpy(band), torch.from_numpy(target_band)).mean()
        pred, target, weight = torch.from_numpy(pred), torch.from_numpy(target), weight * ratio**2
    return loss - weight * ssim_map(pred, target).mean()
