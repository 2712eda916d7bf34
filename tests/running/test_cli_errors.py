"""What is wrong is said in one line, and nothing on disk is touched before that."""

import pytest

from s3net_plugin.running.cli import main


@pytest.fixture
def refuse(options, write_options, tmp_path, monkeypatch, capsys):
    """Change options, start training, and return the one line that it ends with."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'experiments/tiny').mkdir(parents=True)

    def run(change, *flags):
        change(options)
        path = write_options(options)
        status = main(['train.py', '-opt', str(path), *flags])
        error = capsys.readouterr().err
        assert status == 2
        assert error.startswith('basicsr: error: ')
        assert error.count('\n') == 1
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ['experiments', 'options.yml']
        assert [entry.name for entry in (tmp_path / 'experiments').iterdir()] == ['tiny']
        return error

    return run


def put(*keys, value):
    def change(options):
        for key in keys[:-1]:
            options = options[key]
        options[keys[-1]] = value

    return change


def without_losses(options):
    for name in ('pixel_opt', 'wssim_opt'):
        options['train'].pop(name)


def with_metrics_but_no_set(options):
    options['datasets'].pop('val')
    options['val']['metrics']['x'] = {'type': 'nothing'}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (put('network_g', 'type', value='S3Nt'), "network_g:type: no arch named 'S3Nt' is registered; did you mean"),
        (put('model_type', value='S3NetModle'), "model_type: no model named 'S3NetModle' is registered; did you mean"),
        (put('datasets', 'train', 'type', value='RGBDPaired'), 'datasets:train:type: no dataset named'),
        (put('train', 'pixel_opt', 'type', value='S3NetCharbonier'), 'train:pixel_opt:type: no loss named'),
        (put('val', 'metrics', 'psnr', 'type', value='calculate_pnsr'), 'val:metrics:psnr:type: no metric named'),
        (put('datasets', 'train', 'gt_sise', value=4), 'datasets:train'),
        (put('datasets', 'train', 'gt_size', value=4096), 'too small for `gt_size: 4096`'),
        (put('train', 'totl_iter', value=4), "train: unknown option 'totl_iter'; did you mean 'total_iter'"),
        (put('train', 'optim_g', 'lr', value='1e-3'), "train:optim_g:lr: the text '1e-3', not a number"),
        (put('train', 'pixel_opt', 'epss', value=1), "train:pixel_opt: unknown option 'epss'; did you mean 'eps'"),
        (put('network_g', 'encodr', value='x'), "network_g: unknown option 'encodr'; did you mean 'encoder'"),
        (put('network_g', 'encoder', value='resnet10x'), 'network_g: '),
        (put('network_g', 'encoder_weights', value='nowhere.pth'), 'nowhere.pth'),
        (put('datasets', 'train', 'dataroot', value='nowhere'), 'VIDIT'),
        (put('path', 'pretrain_network_g', value='nowhere.pth'), 'path:pretrain_network_g: nowhere.pth: no such file'),
        (put('path', 'resume_stat', value=None), "path: unknown option 'resume_stat'; did you mean 'resume_state'"),
        (put('train', 'scheduler', 'type', value='StepLR'), "train:scheduler:type: 'StepLR' is unknown; did you mean"),
        (put('num_gpu', value=64), 'num_gpu: 64 asked for, PyTorch sees'),
        (put('traim', value={}), "unknown option 'traim'; did you mean 'train'"),
        (put('logger', 'print_freq', value=0), 'logger:print_freq: 0 is not a number of iterations, at least 1'),
        (put('val', 'val_freq', value=0), 'val:val_freq: 0 is not a number of iterations, at least 1'),
        (without_losses, 'train: no loss; give at least one option that ends in _opt'),
        (with_metrics_but_no_set, 'val:metrics:x:type: no metric'),
        (put('train', 'optim_g', 'type', value='Adamm'), 'train:optim_g'),
        (put('train', 'optim_g', 'learning_rate', value=1), 'train:optim_g'),
    ],
)
def test_a_wrong_option_is_named_with_its_place(refuse, change, message):
    assert message in refuse(change)


def test_unsafe_tags_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a.yml').write_text('name: !!python/object/apply:os.mkdir [evil]\n')
    assert main(['train.py', '-opt', 'a.yml']) == 2
    assert 'refused' in capsys.readouterr().err
    assert not (tmp_path / 'evil').exists()


def test_the_full_recipe_says_where_vidit_comes_from(tmp_path, monkeypatch, capsys):
    from tests.conftest import ROOT

    monkeypatch.chdir(tmp_path)
    assert main(['train.py', '-opt', str(ROOT / 'options/s3net.yml')]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    for part in ('options/s3net.yml', 'datasets/VIDIT/train', 'majedelhelou/VIDIT', 'Image001_2500_E.png'):
        assert part in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('argv', 'what'), [([], 'no command'), (['trian.py'], "'trian.py'"), (['-opt', 'a.yml'], "'-opt'")]
)
def test_an_unknown_job_is_named_and_gets_the_usage(argv, what, capsys):
    assert main(argv) == 2
    usage, error = capsys.readouterr().err.splitlines()
    assert usage.startswith('usage: basicsr train.py|test.py')
    assert what in error


def test_a_forced_option_is_checked_like_one_in_the_file(refuse):
    error = refuse(lambda options: None, '--force_yml', 'train:pixel_opt:type=Nothing')
    assert "no loss named 'Nothing'" in error
