import pytest
from basicsr.archs import build_network

from s3net_plugin.running.resume import load_resume_state
from s3net_plugin.utils.checkpoint import save_atomic
from s3net_plugin.utils.errors import OptionError


@pytest.fixture
def experiment(tmp_path):
    """Options of a run, in a folder with whole states of iterations 9, 10 and 100."""
    for folder in ('training_states', 'models'):
        (tmp_path / folder).mkdir()
    network = {'type': 'SRVGGNetCompact', 'num_feat': 1, 'num_conv': 0, 'upscale': 1}
    for iteration in (9, 10, 100):
        save_atomic({'iter': iteration, 'epoch': 0}, tmp_path / f'training_states/{iteration}.state')
        save_atomic({'params': build_network(network).state_dict()}, tmp_path / f'models/net_g_{iteration}.pth')
    path = {name: str(tmp_path / name) for name in ('training_states', 'models')}
    return {'auto_resume': True, 'rank': 0, 'train': {'total_iter': 100}, 'network_g': network, 'path': path}


def tear(tmp_path, *names):
    for name in names:
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:-50])


def test_the_newest_whole_pair_is_taken(experiment, tmp_path):
    assert load_resume_state(experiment)['iter'] == 100
    assert experiment['path']['resume_state'].endswith('100.state')
    assert experiment['path']['pretrain_network_g'].endswith('models/net_g_100.pth')


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (lambda folder: tear(folder, 'training_states/100.state'), 'training_states/100.state: not a whole'),
        (lambda folder: tear(folder, 'models/net_g_100.pth'), 'models/net_g_100.pth: not a whole'),
        (lambda folder: (folder / 'models/net_g_100.pth').unlink(), 'net_g_100.pth: no such file'),
        (lambda folder: save_atomic({'params': {}}, folder / 'training_states/100.state'), 'not a training state'),
    ],
)
def test_a_pair_that_is_not_whole_is_passed_over(experiment, tmp_path, capsys, damage, message):
    damage(tmp_path)
    (tmp_path / 'training_states/backup.state').write_text('x')
    assert load_resume_state(experiment)['iter'] == 10
    out = capsys.readouterr().out
    assert 'passing over 100.state' in out and message in out
    assert 'backup' not in out


def test_arbitrary_bytes_are_passed_over(experiment, tmp_path):
    path = tmp_path / 'training_states/100.state'
    for content in (b'torn', b'\x80\x02', b'PK\x03\x04', b'e', b'u.', b'(lp0\n.', bytes(range(256))):
        path.write_bytes(content)
        assert load_resume_state(experiment)['iter'] == 10


def test_a_network_that_is_not_resumed_need_not_be_there(experiment, tmp_path):
    experiment['network_d'] = {}
    assert load_resume_state(experiment) is None
    experiment['path']['ignore_resume_networks'] = ['network_d']
    assert load_resume_state(experiment)['iter'] == 100


def test_nothing_whole_starts_anew(experiment, tmp_path):
    tear(tmp_path, *(f'training_states/{iteration}.state' for iteration in (9, 10, 100)))
    assert load_resume_state(experiment) is None
    assert 'pretrain_network_g' not in experiment['path']


def test_what_killed_processes_left_half_written_is_removed(experiment, tmp_path):
    left = [tmp_path / 'models/.net_g_11.123.pth', tmp_path / 'training_states/.11.123.state']
    for path in left:
        path.write_bytes(b'half')
    load_resume_state(experiment)
    assert not any(path.exists() for path in left)


def test_a_named_state_is_taken_and_serves_until_there_is_a_newer_one(experiment, tmp_path):
    experiment['path']['resume_state'] = str(tmp_path / 'training_states/9.state')
    assert load_resume_state(experiment)['iter'] == 100
    tear(tmp_path, *(f'training_states/{iteration}.state' for iteration in (10, 100)))
    (tmp_path / 'training_states/9.state').rename(tmp_path / 'nine.state')
    experiment['path']['resume_state'] = str(tmp_path / 'nine.state')
    assert load_resume_state(experiment)['iter'] == 9


@pytest.mark.parametrize('torn', ['training_states/9.state', 'models/net_g_9.pth'])
def test_a_named_state_that_is_not_whole_is_one_line(experiment, tmp_path, torn):
    tear(tmp_path, torn)
    experiment['auto_resume'] = False
    experiment['path']['resume_state'] = str(tmp_path / 'training_states/9.state')
    with pytest.raises(OptionError, match=f'path:resume_state: .*{torn}: not a whole checkpoint'):
        load_resume_state(experiment)


@pytest.mark.parametrize('key', ['params_ema', None, 'state_dict'])
def test_the_weights_that_training_once_started_from_do_not_matter_any_more(experiment, key):
    experiment['path'] |= {'pretrain_network_g': 'elsewhere.pth', 'param_key_g': key}
    load_resume_state(experiment)
    assert experiment['path']['param_key_g'] == 'params'
    assert experiment['path']['pretrain_network_g'].endswith('models/net_g_100.pth')


def test_without_a_state_and_without_being_asked_nothing_is_resumed(experiment):
    experiment['auto_resume'] = False
    assert load_resume_state(experiment) is None


def test_going_back_leaves_later_states_behind(experiment, tmp_path, capsys):
    experiment |= {'auto_resume': False}
    experiment['path']['resume_state'] = str(tmp_path / 'training_states/9.state')
    assert load_resume_state(experiment)['iter'] == 9
    names = {path.name for path in (tmp_path / 'training_states').iterdir()}
    assert names == {'9.state', '10.state.left', '100.state.left'}
    assert '100.state is renamed to 100.state.left' in capsys.readouterr().out
    experiment |= {'auto_resume': True}
    assert load_resume_state(experiment)['iter'] == 9


def test_a_run_that_is_past_its_end_is_refused(experiment):
    experiment['train']['total_iter'] = 99
    with pytest.raises(OptionError, match='train:total_iter: 99, but the run is at 100 already'):
        load_resume_state(experiment)
