"""The real ``basicsr`` command in processes of their own, forked from one that has imported everything: in no time."""

import multiprocessing
import os
import signal
import socket
import sys
import time

_server = multiprocessing.get_context('forkserver')
_server.set_forkserver_preload(['basicsr.train', 'basicsr.test', 's3net_plugin', 'tests.models.tiny_plugin'])


def install_plugin(folder):
    """Make ``tests.models.tiny_plugin`` a plugin of the commands that run in ``folder``, as if it were installed."""
    installed = folder / 'tiny_plugin-0.dist-info'
    installed.mkdir(parents=True, exist_ok=True)
    (installed / 'METADATA').write_text('Metadata-Version: 2.1\nName: tiny-plugin\nVersion: 0\n')
    (installed / 'entry_points.txt').write_text('[basicsr.plugins]\ntiny = tests.models.tiny_plugin\n')


def _main(argv, folder, environment, log):
    os.setpgid(0, 0)
    # The start method of a command that was started from a shell; a process is given that of its server.
    multiprocessing.set_start_method('fork', force=True)
    with log.open('w') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(folder)
    os.environ.update(environment)
    sys.path.insert(0, str(folder))
    import torch

    from s3net_plugin.running.cli import main

    torch.set_num_threads(1)
    if environment.get('RANK') == '0' and 'SECONDS_TO_START' in environment:
        _slow_down_directories(float(environment['SECONDS_TO_START']))
    sys.exit(main(argv))


def _slow_down_directories(seconds):
    import basicsr.test

    stock = basicsr.test.make_exp_dirs

    def make_exp_dirs(opt):
        time.sleep(seconds)
        stock(opt)

    basicsr.test.make_exp_dirs = make_exp_dirs


class Command:
    """A running ``basicsr`` command with ``folder`` as its working directory, leader of a process group."""

    def __init__(self, folder, *argv, **environment):
        rank = environment.get('RANK', 0)
        self._log = folder / f'log_{rank}_{time.monotonic_ns()}.txt'
        self._log.touch()
        environment = {name: str(value) for name, value in {'RECORD_FOLDER': folder, **environment}.items()}
        self._process = _server.Process(target=_main, args=([*map(str, argv)], folder, environment, self._log))
        self._process.start()
        self.pid = self._process.pid

    @property
    def running(self):
        return self._process.is_alive()

    @property
    def output(self):
        return self._log.read_text()

    def wait(self, timeout=60):
        """Return the exit status, once the process has ended by itself."""
        self._process.join(timeout)
        if self.running:
            self.kill(signal.SIGKILL)
            raise TimeoutError(f'still running after {timeout} s:\n{self.output}')
        return self._process.exitcode

    def succeed(self):
        assert self.wait() == 0, self.output
        return self

    def kill(self, number):
        """Send a signal to the command alone, and see it off if that cannot be survived."""
        if self.running:
            os.kill(self.pid, number)
        if number == signal.SIGKILL:
            self._process.join()


def launch(folder, processes, *argv, **environment):
    """Start a job, of several processes as a launcher does: by environment variables."""
    if processes == 1:
        return [Command(folder, *argv, **environment)]
    job = {'WORLD_SIZE': processes, 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': free_port(), **environment}
    argv = [*argv, '--launcher', 'pytorch']
    return [Command(folder, *argv, RANK=rank, LOCAL_RANK=rank, **job) for rank in range(processes)]


def succeed(commands):
    return [command.succeed() for command in commands]


def free_port():
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return listener.getsockname()[1]


def until(condition, seconds=30, pause=0.005):
    """Wait for a condition to become true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError('waited in vain')
        time.sleep(pause)
