import sys

import pytest
import torch
from basicsr.archs import build_network

from s3net_plugin.archs import export

# ONNX's own way of shrinking an image differs a little, and where a shadow begins that is enlarged.
ONNX_TOLERANCES = {'S3Net': 1e-5, 'ShadingGuidedS3Net': 5e-4}


@pytest.fixture(scope='module', params=ONNX_TOLERANCES)
def network(request):
    torch.manual_seed(0)
    options = {'light_colours': 'black_body'} if request.param == 'ShadingGuidedS3Net' else {}
    network = build_network({'type': request.param, 'encoder': 'resnet10t', **options})  # upsamples both ways
    torch.nn.init.normal_(network.conv_last.weight, std=0.01)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize('suffix', ['pt2', 'onnx'])
def test_exported_file_takes_every_size_in_steps_of_32(network, tmp_path, suffix):
    path, tolerance = tmp_path / f's3net.{suffix}', 1e-5
    if suffix == 'onnx':
        pytest.importorskip('onnxscript', reason="needs the extra 'export'")
        onnxruntime = pytest.importorskip('onnxruntime', reason="needs the extra 'export'")
        tolerance = ONNX_TOLERANCES[type(network).__name__]
    report = export.export_file(network, path, size=64)
    assert report.difference < tolerance
    assert 0 < report.seconds < 10
    assert 0 < report.eager_seconds < 10
    if suffix == 'onnx':
        session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])

        def run(x):
            return torch.from_numpy(session.run(None, {'input': x.numpy()})[0])

    else:
        run = torch.export.load(path).module()
        with pytest.raises((AssertionError, RuntimeError)):
            run(torch.zeros(1, 8, 32, 40))
    generator = torch.Generator().manual_seed(1)
    for size in ((64, 64), (64, 160), (224, 96)):
        x = export.smooth_input(generator, 8, *size)
        torch.testing.assert_close(run(x), network(x), rtol=0, atol=tolerance)
    assert list(tmp_path.iterdir()) == [path]


ONE = pytest.mark.parametrize('network', ['S3Net'], indirect=True)


@ONE
@pytest.mark.parametrize('factor', [1, torch.nan])
def test_what_computes_something_else_is_not_written(network, tmp_path, monkeypatch, factor):
    monkeypatch.setattr(export, '_save_program', lambda program, path: lambda x: factor * x[:, :3])
    with pytest.raises(ValueError, match=r's3net\.pt2: not written: it differs'):
        export.export_file(network, tmp_path / 's3net.pt2', size=64)
    assert not list(tmp_path.iterdir())


@ONE
@pytest.mark.parametrize(('name', 'size', 'message'), [('s3net.pth', 64, r'\.pt2 or \.onnx'), ('a.pt2', 40, 'size 40')])
def test_bad_request_is_named(network, tmp_path, name, size, message):
    with pytest.raises(ValueError, match=message):
        export.export_file(network, tmp_path / name, size=size)


@ONE
def test_missing_extra_is_named(network, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(ImportError, match=r'onnxruntime.*s3net_plugin\[export\]'):
        export.export_file(network, tmp_path / 's3net.onnx', size=64)
    assert not list(tmp_path.iterdir())
