"""How a process waits for its threads and keeps its memory: as the commands want it, unless the user said otherwise."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from s3net_plugin.utils.runtime import tune_runtime

TOUCHED_AGAIN = """
import resource, sys, threading
import numpy as np
from s3net_plugin.utils.runtime import tune_runtime

tune_runtime()
found = []

def pages_of_a_second_array():
    np.ones(10**8, np.uint8)  # freed at once; as large as the next, and more than glibc keeps
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(10**8, np.uint8)
    found.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

for _ in range(int(sys.argv[1])):  # in the main thread, or in another
    thread = threading.Thread(target=pages_of_a_second_array)
    thread.start()
    thread.join()
if not found:
    pages_of_a_second_array()
print(found[-1])
"""


def new_pages(threads: int, **environment: str) -> int:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(('MALLOC_', 'GLIBC_'))}
    command = [sys.executable, '-c', TOUCHED_AGAIN, str(threads)]
    ended = subprocess.run(command, env={**kept, **environment}, capture_output=True, text=True, check=True)
    return int(ended.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='only glibc gives memory back at once')
@pytest.mark.parametrize('threads', [0, 1, 2])
def test_an_array_takes_the_memory_of_the_one_before(threads):
    # NumPy asks for huge pages, which are as large as 512 others: 47 at least if they are new
    assert new_pages(threads) < 20


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='only glibc gives memory back at once')
def test_what_the_environment_says_of_memory_stays():
    assert new_pages(0, MALLOC_ARENA_MAX='2') > 40


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ({}, {'OMP_WAIT_POLICY': 'passive', 'GOMP_SPINCOUNT': '1000', 'KMP_BLOCKTIME': '1'}),
        ({'OMP_WAIT_POLICY': 'active'}, {'OMP_WAIT_POLICY': 'active'}),
        ({'GOMP_SPINCOUNT': '5'}, {'GOMP_SPINCOUNT': '5'}),
        ({'KMP_BLOCKTIME': '0'}, {'KMP_BLOCKTIME': '0'}),
    ],
)
def test_threads_spin_shortly_before_they_sleep_unless_the_environment_says_otherwise(monkeypatch, given, expected):
    memory = {'MALLOC_ARENA_MAX': '2'}  # leaves that of this process as it is
    monkeypatch.setattr('os.environ', {**memory, **given})
    tune_runtime()
    assert os.environ == {**memory, **expected}


GARBAGE = """
import gc
from s3net_plugin.utils.runtime import tune_runtime

searched = []
usual = gc.get_threshold()
tune_runtime()
tune_runtime()  # a program of one's own that calls a command
gc.callbacks.append(lambda phase, info: searched.append(phase))
imported = [[] for _ in range(400_000)]
assert not searched and gc.get_threshold() != usual
more = [[] for _ in range(200_000)]
assert searched and gc.get_threshold() == usual
gc.collect()
assert gc.get_threshold() == usual
assert gc.get_freeze_count() > 400_000  # what is frozen is passed over
"""


def test_no_garbage_is_looked_for_among_what_a_command_imports_and_later_it_is_as_ever():
    subprocess.run([sys.executable, '-c', GARBAGE], check=True)
