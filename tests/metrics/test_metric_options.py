import pytest
import torch
from basicsr.metrics import calculate_metric
from basicsr.utils.registry import METRIC_REGISTRY

from s3net_plugin.metrics.options import describe_metric, prepare_metric


@pytest.fixture
def lpips_opt(backbone):
    return {'type': 'calculate_lpips', 'crop_border': 0, 'net': 'squeeze', 'weights': backbone('squeeze')}


@pytest.mark.parametrize('name', ['calculate_lpips', 'calculate_mps'])
def test_prepared_options_run_through_basicsr_with_no_file_left_to_read(images, lpips_opt, name, tmp_path):
    file = tmp_path / 'squeeze.pth'
    torch.save(torch.load(lpips_opt['weights'], weights_only=True), file)
    opt = {**lpips_opt, 'type': name, 'weights': str(file), 'crop_border': 2}
    ready = prepare_metric(opt, torch.device('cpu'))
    file.unlink()
    data = {'img': images[0], 'img2': images[1]}
    assert calculate_metric(data, ready) == METRIC_REGISTRY.get(name)(*images, 2, net='squeeze', weights=str(file))


def test_the_model_s_device_is_filled_in_unless_the_file_names_one(lpips_opt):
    assert prepare_metric(lpips_opt, torch.device('cpu', 0))['device'] == 'cpu:0'
    assert prepare_metric({**lpips_opt, 'device': 'cpu'}, 'cuda:5')['device'] == 'cpu'
    assert 'device' not in prepare_metric({'type': 'calculate_relight_ssim', 'crop_border': 0}, 'cpu')


def test_better_is_filled_in_for_basicsr(lpips_opt):
    assert prepare_metric(lpips_opt, 'cpu')['better'] == 'lower'
    assert prepare_metric({**lpips_opt, 'type': 'calculate_mps'}, 'cpu')['better'] == 'higher'


def test_missing_weights_are_told_before_the_first_image(empty_cache):
    for name in ('calculate_lpips', 'calculate_mps'):
        with pytest.raises(FileNotFoundError, match=r'alexnet-owt-7be5be79\.pth'):
            prepare_metric({'type': name, 'crop_border': 0}, 'cpu')


@pytest.mark.parametrize('order', ['HWC', 'CHW'])
@pytest.mark.parametrize('crop_border', [0, 40, 100000])
def test_any_order_and_border_is_tried(lpips_opt, order, crop_border):
    opt = {**lpips_opt, 'input_order': order, 'crop_border': crop_border}
    assert prepare_metric(opt, 'cpu') == {**opt, 'device': 'cpu', 'better': 'lower'}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'nett': 'alex'}, "unexpected keyword argument 'nett'"),
        ({'net': 'resnet'}, "no LPIPS network is called 'resnet'"),
        ({'crop_border': '4'}, "crop_border must be .* got '4'"),
        ({'crop_border': True}, 'crop_border must be .* got True'),
        ({'crop_border': -1}, 'crop_border must be .* got -1'),
        ({'input_order': 'chw'}, "input_order must be .* got 'chw'"),
        ({'better': 'higher'}, 'a lower LPIPS is better'),
        ({'data_range': 1}, 'a uint8 image has 255, got 1'),
    ],
)
def test_wrong_options_are_told_before_the_first_image(lpips_opt, change, message):
    with pytest.raises(ValueError, match=message):
        prepare_metric({**lpips_opt, **change}, 'cpu')


def test_a_missing_option_is_told_before_the_first_image():
    for step in (describe_metric, lambda opt: prepare_metric(opt, 'cpu')):
        with pytest.raises(ValueError, match=r"missing .*required .*'crop_border'"):
            step({'type': 'calculate_relight_ssim'})


def test_other_metrics_are_left_alone():
    opt = {'type': 'calculate_psnr', 'crop_border': 4, 'better': 'higher'}
    assert prepare_metric(opt, 'cpu') == opt


def test_descriptions_name_mode_net_version_and_range(lpips_opt):
    ssim = describe_metric({'type': 'calculate_relight_ssim', 'crop_border': 4, 'mode': 'gaussian11'})
    assert ssim.startswith('SSIM gaussian11 (scikit-image ')
    assert ssim.endswith('), range [0, 255], crop_border 4')
    lpips = describe_metric(lpips_opt)
    assert lpips.startswith('LPIPS squeeze v0.1 (torchmetrics ')
    assert lpips.endswith(', backbone squeeze.pth), RGB range [-1, 1], crop_border 0')
    assert 'backbone alexnet-owt-7be5be79.pth' in describe_metric({'type': 'calculate_lpips', 'crop_border': 0})
    mps = describe_metric(prepare_metric({**lpips_opt, 'type': 'calculate_mps'}, 'cpu'))
    assert mps.startswith('MPS = (SSIM + 1 - LPIPS) / 2 of SSIM skimage7 (')
    assert 'LPIPS squeeze v0.1' in mps


def test_a_basicsr_metric_is_described_by_all_its_options():
    described = describe_metric({'type': 'calculate_psnr', 'crop_border': 4, 'better': 'higher'})
    assert described == 'calculate_psnr, crop_border 4, input_order HWC, test_y_channel False'
