import math

import pytest

from s3net_plugin import losses


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('Charbonnier', {'eps': '1e-3'}, r"S3NetCharbonnierLoss: eps is the text '1e-3'"),
        ('Charbonnier', {'eps': 0}, r'S3NetCharbonnierLoss: eps must be a finite number from 1e-12 up, got 0'),
        ('Charbonnier', {'loss_weight': '1'}, r"loss_weight is the text '1'"),
        ('Charbonnier', {'loss_weight': True}, r'loss_weight must be a finite number from 0 up, got True'),
        ('Charbonnier', {'loss_weight': math.nan}, r'loss_weight must be a finite number from 0 up, got nan'),
        ('Charbonnier', {'loss_weight': math.inf}, r'loss_weight must be a finite number from 0 up, got inf'),
        (
            'Charbonnier',
            {'reduction': 'avg'},
            "S3NetCharbonnierLoss: reduction 'avg' is unknown; known: mean, none, sum",
        ),
        ('WaveletSSIM', {'reduction': 'sum'}, "S3NetWaveletSSIMLoss: reduction can only be 'mean', got 'sum'"),
        ('WaveletSSIM', {'levels': 0}, 'levels must be a whole number from 1 up, got 0'),
        ('WaveletSSIM', {'levels': 2.0}, 'levels must be a whole number from 1 up, got 2.0'),
        ('WaveletSSIM', {'ratio': 1.5}, r'ratio must be a finite number in \[0, 1\], got 1.5'),
        ('WaveletSSIM', {'ratio': '0.7'}, "ratio is the text '0.7'"),
        ('WaveletSSIM', {'window_size': 10}, 'odd number of taps, got 10'),
        ('WaveletSSIM', {'window_size': 1}, 'window_size must be a whole number from 3 up'),
        ('WaveletSSIM', {'wavelet': 'bior2.2'}, r"'bior2\.2' is not orthogonal"),
        ('WaveletSSIM', {'wavelet': 'har'}, r"'har'; did you mean .*'haar'"),
        ('Perceptual', {'layer_weights': {'relu1_7': 1}}, "no layer 'relu1_7'; did you mean 'relu1_"),
        ('Perceptual', {'layer_weights': {}}, 'no layer of VGG19 is named'),
        ('Perceptual', {'layer_weights': {'relu1_1': '1/32'}}, "layer_weights: relu1_1 is the text '1/32'"),
        ('Perceptual', {'layer_weights': ['relu1_1']}, 'layer_weights must map layers to numbers'),
        ('Perceptual', {'loss_weight': '1e-2'}, "loss_weight is the text '1e-2'"),
        ('Perceptual', {'normalize_input': 'no'}, "normalize_input must be true or false, got 'no'"),
        ('Perceptual', {'chunk_size': 0}, 'chunk_size must be a whole number from 1 up, got 0'),
        ('Perceptual', {'weights': None}, "weights must be 'imagenet', 'random' or a path, got None"),
    ],
)
def test_wrong_options_are_named(name, options, message):
    given = {'weights': 'random', **options} if name == 'Perceptual' else options
    with pytest.raises(ValueError, match=message):
        getattr(losses, f'S3Net{name}Loss')(**given)
