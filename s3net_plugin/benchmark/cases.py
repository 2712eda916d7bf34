"""What is measured: every piece of work, how large, in the plain way and in the fast ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from s3net_plugin.archs import S3Net, optimize_for_inference
from s3net_plugin.archs.closed_form import relight_closed_form
from s3net_plugin.archs.shading import CueSettings, estimate_light, shading_cues
from s3net_plugin.benchmark.photos import fast_work, photo_files, plain_work
from s3net_plugin.benchmark.plain import (
    Criterion,
    PlainCharbonnier,
    PlainPerceptual,
    PlainWaveletSSIM,
    plain_shading_cues,
    plain_step,
)
from s3net_plugin.benchmark.runs import first_batch, scene_files, test_work
from s3net_plugin.benchmark.settings import DTYPE_NAMES, BenchmarkSettings
from s3net_plugin.losses import S3NetCharbonnierLoss, S3NetPerceptualLoss, S3NetWaveletSSIMLoss
from s3net_plugin.models import S3NetModel
from s3net_plugin.report.environment import complexity

SEED = 0
LEARNING_RATE = 1e-4
LOSS_WEIGHTS = {'charbonnier': 1.0, 'wssim': 0.5, 'perceptual': 0.1}
PHOTOS = 3  # in a folder
Work = Callable[[], object]
Begin = Callable[[BenchmarkSettings, dict[str, Any]], Work]  # training on one batch; what it returns is a step


class Fast(NamedTuple):
    """A fast way of doing something: how, in words, and what builds it."""

    how: str
    build: Callable[[], Work]


class Case(NamedTuple):
    """A piece of work: the shape of what goes in, the plain way, and the fast ones by their names.

    A call does it ``times`` times; what is reported is one. What is ``long`` is done a few times only.
    ``operations`` counts the floating-point operations of one, where they are known.
    """

    shape: tuple[int, ...]
    plain: Callable[[], Work]
    fast: dict[str, Fast]
    times: int = 1
    long: bool = False
    operations: Callable[[], int] | None = None


def all_cases(settings: BenchmarkSettings) -> list[Case]:
    """Return everything that is measured; nothing is built yet."""
    inference = [_inference(settings, f'inference_b{batch}', batch) for batch in (1, 8)]
    steps = [_step(settings, name, *shape) for name, shape in settings.train_shapes.items()]
    photos = [_photo(settings, cold=cold) for cold in (True, False)]
    losses = [_loss(settings, name) for name in LOSS_WEIGHTS]
    return [*inference, *steps, *losses, _shading(settings), _test_set(settings), _first_iteration(settings), *photos]


def _inference(settings: BenchmarkSettings, name: str, batch: int) -> Case:
    shape = (batch, 8, settings.inference_side, settings.inference_side)

    def plain() -> Work:
        network, images = _network(settings).eval(), _images(settings, *shape)

        def infer() -> Tensor:
            with torch.no_grad():
                return network(images)

        return infer

    def fast() -> Work:
        deployed = optimize_for_inference(
            _network(settings), dtype=settings.dtype, channels_last=True, compile=settings.compile
        )
        images = _images(settings, *shape)
        return lambda: deployed(images)

    def operations() -> int:
        macs = complexity(_network(settings), shape[1:], settings.device, 0)['flops']
        return 2 * batch * macs

    how = f'optimize_for_inference, {_how(settings)}'
    return Case(shape, plain, {name: Fast(how, fast)}, operations=operations)


def _step(settings: BenchmarkSettings, name: str, batch: int, side: int) -> Case:
    def build(begin: Begin, settings: BenchmarkSettings) -> Callable[[], Work]:
        channels = {'lq': 8, 'gt': 3}
        return lambda: begin(settings, {key: _images(settings, batch, n, side, side) for key, n in channels.items()})

    def fast(settings: BenchmarkSettings) -> Fast:
        how = f'S3NetModel, fused Adam, {_how(settings)}' + ', padded' * settings.pad_channels
        return Fast(how, build(_begin_fast, settings))

    ways = {name: fast(settings)}
    if settings.precision != DTYPE_NAMES[settings.dtype]:
        dtype = getattr(torch, settings.precision)
        ways[f'{name}_{settings.precision}'] = fast(settings._replace(dtype=dtype))
    return Case((batch, 8, side, side), build(_begin_plain, settings), ways)


def _loss(settings: BenchmarkSettings, name: str) -> Case:
    shape = (settings.loss_shape[0], 3, settings.loss_shape[1], settings.loss_shape[1])

    def differentiate(loss: Criterion) -> Work:
        pred, target = _images(settings, *shape).requires_grad_(), _images(settings, *shape) ** 2
        return lambda: torch.autograd.grad(loss(pred, target), pred)

    def fast(compiled: bool) -> Fast:
        dtype = settings.dtype if name == 'perceptual' else torch.float32

        def build() -> Work:
            loss = fast_loss(name, settings.device)
            return differentiate(in_dtype(torch.compile(loss, dynamic=False) if compiled else loss, dtype))

        return Fast(DTYPE_NAMES[dtype] + ', compiled' * compiled, build)

    # On the CPU, where compiling is rarely worth its while, this loss tells what it brings.
    both = name == 'wssim' and settings.device.type == 'cpu'
    ways = {name: fast(settings.compile and not both)}
    if both:
        ways['wssim_compiled'] = fast(True)
    return Case(shape, lambda: differentiate(plain_loss(name, settings.device)), ways)


def _shading(settings: BenchmarkSettings) -> Case:
    """The cues and light of one image; and, for a pair, all that comes before the network of ShadingGuidedS3Net."""
    shape = (1, 8, settings.inference_side, settings.inference_side)

    def one(cues: Callable[[Tensor, CueSettings], Tensor]) -> Work:
        images = _images(settings, *shape)
        return lambda: estimate_light(images[:, :3], cues(images[:, 3:4], CueSettings()))

    def pair() -> Work:
        images = _images(settings, *shape)
        return lambda: relight_closed_form(images).image

    ways = {
        'shading': Fast('float32, cues and light of one image', lambda: one(shading_cues)),
        'closed_form': Fast('float32, all before the network', pair),
    }
    return Case(shape, lambda: one(plain_shading_cues), ways)


def _test_set(settings: BenchmarkSettings) -> Case:
    """A set of pictures tested with PSNR and SSIM: weights loaded, files read, scores and the report's figures made."""
    count, side = settings.test_shape

    def build(model_type: str, precision: str | None = None) -> Callable[[], Work]:
        return lambda: test_work(
            model_type,
            scene_files(2, side),
            settings.encoder,
            settings.device,
            pictures=count,
            precision=precision,
        )

    ways = {
        'test_set' + f'_{precision}' * (precision != 'float32'): Fast(
            f'S3NetModel, {precision}, with three baselines and a report', build('S3NetModel', precision)
        )
        for precision in sorted({'float32', settings.precision}, reverse=True)
    }
    return Case((count, 8, side, side), build('SRModel'), ways, count, long=True)


def _first_iteration(settings: BenchmarkSettings) -> Case:
    """From the options to the first step: of files on the disk plainly, of an LMDB with ``S3NetModel``."""
    scenes, side = settings.start_shape
    batch, settings = 2, settings._replace(compile=False)

    def build(begin: Begin, reader: str) -> Work:
        files = scene_files(scenes, side, lmdb=True)
        return lambda: begin(settings, first_batch(files, reader, batch))()

    fast = Fast(f'S3NetModel, LMDB, {_how(settings)}', lambda: build(_begin_fast, 'lmdb_raw'))
    return Case((scenes, 6, side, side), lambda: build(_begin_plain, 'plain'), {'first_iteration': fast}, long=True)


def _photo(settings: BenchmarkSettings, *, cold: bool) -> Case:
    """A photo relit from file to file: the first, for which the network has to be loaded, or one in a folder."""

    def build(work: Callable[..., Work], **options: Any) -> Callable[[], Work]:
        return lambda: work(
            photo_files(settings.encoder, settings.photo_shape, PHOTOS), settings.device, cold=cold, **options
        )

    how = f'relight, {settings.precision}, NHWC, ' + ('loading included' if cold else 'reading and writing meanwhile')
    fast = Fast(how, build(fast_work, precision=settings.precision))
    name = 'relight_photo_cold' if cold else 'relight_photo'
    return Case((*settings.photo_shape, 3), build(plain_work), {name: fast}, 1 if cold else PHOTOS)


def plain_loss(name: str, device: torch.device) -> Criterion:
    """Build one of the three losses in the plain way."""
    losses = {'charbonnier': PlainCharbonnier, 'wssim': PlainWaveletSSIM, 'perceptual': PlainPerceptual}
    return losses[name]().to(device)


def plain_criteria(device: torch.device) -> list[tuple[float, Criterion]]:
    """Build what the plain step minimises: the three losses with their weights."""
    return [(weight, plain_loss(name, device)) for name, weight in LOSS_WEIGHTS.items()]


def fast_loss(name: str, device: torch.device) -> Criterion:
    """Build one of the three losses of this package.

    VGG19 has random weights: how fast it is does not depend on them.
    """
    if name == 'perceptual':
        perceptual = S3NetPerceptualLoss(weights='random').to(device)
        return lambda pred, target: perceptual(pred, target)[0]
    return {'charbonnier': S3NetCharbonnierLoss, 'wssim': S3NetWaveletSSIMLoss}[name]().to(device)


def in_dtype(loss: Criterion, dtype: torch.dtype) -> Criterion:
    """Return ``loss`` under autocast to ``dtype``, if that is not float32."""

    def autocast(pred: Tensor, target: Tensor) -> Tensor:
        with torch.autocast(pred.device.type, dtype, enabled=dtype != torch.float32):
            return loss(pred, target)

    return autocast


def train_options(settings: BenchmarkSettings, batch: int) -> dict[str, Any]:
    """Return the options of a training run of ``S3NetModel`` with all that makes it fast.

    The network is not averaged, since the plain step does not, either.
    """
    weights = LOSS_WEIGHTS
    train = {
        'ema_decay': 0,
        'amp': None if settings.dtype == torch.float32 else DTYPE_NAMES[settings.dtype],
        'channels_last': True,
        'pad_channels': settings.pad_channels,
        'compile': settings.compile,
        'optim_g': {'type': 'Adam', 'lr': LEARNING_RATE, 'fused': True},
        'scheduler': {'type': 'MultiStepLR', 'milestones': [10**9]},
        'total_iter': 10**9,
        'pixel_opt': {'type': 'S3NetCharbonnierLoss', 'loss_weight': weights['charbonnier']},
        'wssim_opt': {'type': 'S3NetWaveletSSIMLoss', 'loss_weight': weights['wssim']},
        'perceptual_opt': {'type': 'S3NetPerceptualLoss', 'loss_weight': weights['perceptual'], 'weights': 'random'},
    }
    return {
        'num_gpu': 1 if settings.device.type == 'cuda' else 0,
        'is_train': True,
        'dist': False,
        'rank': 0,
        'world_size': 1,
        'datasets': {'train': {'batch_size_per_gpu': batch}},
        'network_g': {'type': 'S3Net', 'encoder': settings.encoder},
        'path': {'experiments_root': '.'},  # nothing is written there: no validation, no saving
        'train': train,
    }


def _begin_plain(settings: BenchmarkSettings, samples: dict[str, Any]) -> Work:
    lq, gt = (samples[name].to(settings.device) for name in ('lq', 'gt'))
    return plain_step(_network(settings), plain_criteria(settings.device), lq, gt, lr=LEARNING_RATE)


def _begin_fast(settings: BenchmarkSettings, samples: dict[str, Any]) -> Work:
    torch.manual_seed(SEED)
    model = S3NetModel(train_options(settings, len(samples['lq'])))

    def step() -> None:
        model.feed_data(samples)
        model.optimize_parameters(1)

    return step


def _network(settings: BenchmarkSettings) -> S3Net:
    torch.manual_seed(SEED)
    return S3Net(encoder=settings.encoder).to(settings.device)


def _images(settings: BenchmarkSettings, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(SEED + shape[1])
    return torch.rand(shape, generator=generator).to(settings.device)


def _how(settings: BenchmarkSettings) -> str:
    return f'{DTYPE_NAMES[settings.dtype]}, NHWC' + ', compiled' * settings.compile
