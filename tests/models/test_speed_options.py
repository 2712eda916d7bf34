"""All speed options at once, through the real trainer, in one process and in two, stopped and resumed."""

import re
import signal

import pytest

from s3net_plugin.utils.preemption import EXIT_STOPPED
from tests.models.commands import launch, succeed, until
from tests.models.runs import equal, result, states, steps

OPTIONS = {
    'train:channels_last': True,
    'train:compile': True,
    'train:accumulate': 2,
    'train:grad_clip': 0.5,
    'train:cudnn_benchmark': True,
    'train:optim_g': {'type': 'AdamW', 'lr': 0.01, 'fused': True},
    'train:keep_last': 2,
    'train:max_nonfinite': 3,
    'datasets:train:prefetch_mode': 'cpu',
    'train:total_iter': 12,
}


def start(processes, folder, path, *flags, **environment):
    # without the code generation, which takes half a minute
    return launch(folder, processes, 'train', '-opt', path, *flags, BACKEND='eager', **environment)


@pytest.mark.parametrize(('amp', 'processes'), [('bfloat16', 1), ('float16', 1), ('bfloat16', 2)])
def test_a_run_with_every_option_learns_and_can_be_stopped_and_resumed(prepare, tmp_path, amp, processes):
    options = {**OPTIONS, 'train:amp': amp}
    whole = succeed(start(processes, tmp_path / 'whole', prepare(tmp_path / 'whole', options)))
    losses = [float(loss) for loss in re.findall(r'l_pix: (\S+)', whole[0].output)]
    assert len(losses) == 12
    assert losses[-1] < 0.8 * losses[0]
    expected = latest, state, *_ = result(tmp_path / 'whole')
    assert all(name.split('.')[0] in ('conv1', 'conv2', 'norm') for name in latest['params'])
    assert state.get('scaler', {}).get('scale') == (2**16 if amp == 'float16' else None)
    assert states(tmp_path / 'whole') == [10, 12]

    running = start(processes, tmp_path / 'cut', prepare(tmp_path / 'cut', options), SECONDS=0.04)
    until(lambda: len(steps(tmp_path / 'cut')) >= 5)
    running[0].kill(signal.SIGTERM)
    assert [command.wait() for command in running] == [EXIT_STOPPED] * processes
    succeed(start(processes, tmp_path / 'cut', prepare(tmp_path / 'cut', options), '--auto_resume'))
    assert equal(result(tmp_path / 'cut'), expected)
