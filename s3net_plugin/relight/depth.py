"""Depth of a photo that has none, estimated by a monocular model of ``transformers`` (the extra ``depth``)."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import numpy as np
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from PIL import Image

from s3net_plugin.relight.depth_maps import FAR_OVER_NEAR, depth_from_disparity, depth_from_metric
from s3net_plugin.utils.download import download

DEFAULT_MODEL = 'depth-anything/Depth-Anything-V2-Small-hf'
_METRIC_MODELS = ('depth_pro', 'glpn', 'zoedepth')
_FILES = ['*.json', '*.safetensors']


class DepthEstimator:
    """Estimates depth in VIDIT's convention: [0, 1], larger = farther.

    Models that say of themselves that they estimate metric depth are taken at their word; all others give disparity.

    Args:
        model: A depth-estimation model of the Hugging Face hub, looked up in its cache, then downloaded; or a folder.
            Only ``.safetensors`` weights are read, and no code that comes with them.
        device: Where to run it.
        far_over_near: See ``depth_from_disparity``.

    Raises:
        ImportError: ``transformers`` is not installed.
        FileNotFoundError: The model is neither there nor to be had; said within a few seconds.
        ValueError: It is no depth-estimation model.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        device: str | torch.device = 'cpu',
        far_over_near: float = FAR_OVER_NEAR,
    ) -> None:
        try:
            from transformers import pipeline
            from transformers.utils.logging import disable_progress_bar
        except ImportError as error:
            raise ImportError(
                "estimating depth needs transformers: pip install 's3net_plugin[depth]', or give depth maps"
            ) from error
        disable_progress_bar()
        folder = model_folder(model)
        try:
            self._pipeline = pipeline(
                'depth-estimation', model=folder, device=device, model_kwargs={'use_safetensors': True}
            )
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            reason = ' '.join(str(error).split())
            raise ValueError(f'depth model {folder}: no depth-estimation model with .safetensors: {reason}') from None
        config = self._pipeline.model.config
        self.is_metric = (
            getattr(config, 'depth_estimation_type', None) == 'metric' or config.model_type in _METRIC_MODELS
        )
        self._far_over_near = far_over_near

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """Return normalised depth (H, W), float32, of ``rgb`` (H, W, 3), float32 in [0, 1]."""
        image = Image.fromarray(np.rint(rgb * 255).astype(np.uint8))
        estimate = self._pipeline(image)['predicted_depth'].squeeze().numpy()
        return depth_from_metric(estimate) if self.is_metric else depth_from_disparity(estimate, self._far_over_near)


def model_folder(model: str) -> str:
    """Return the folder that holds ``model``: itself, or that of the Hugging Face cache, downloaded if need be.

    Raises:
        FileNotFoundError: It is neither there nor to be had.
    """
    if Path(model).is_dir():
        return model
    try:
        return huggingface_hub.snapshot_download(model, allow_patterns=_FILES, local_files_only=True)
    except (LocalEntryNotFoundError, ValueError):  # not in the cache, or no name of the hub, which is said below
        pass
    return download(
        f'depth model {model}: not a folder, not in the Hugging Face cache',
        'it',
        f'{huggingface_hub.constants.ENDPOINT}/{model}/resolve/main/config.json',
        lambda: huggingface_hub.snapshot_download(model, allow_patterns=_FILES),
        'give its folder with --depth-model, or give depth maps',
    )
