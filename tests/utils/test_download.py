import socket
import time

import huggingface_hub
import pytest

from s3net_plugin.utils.download import download


@pytest.fixture(params=['hub', 'another server'])
def server(request, monkeypatch):
    """A socket that takes connections and never says a word, and the URL of a file that it would have."""
    with socket.create_server(('127.0.0.1', 0)) as silent:
        address = f'http://127.0.0.1:{silent.getsockname()[1]}'
        if request.param == 'hub':
            monkeypatch.setattr(huggingface_hub.constants, 'ENDPOINT', address)
        monkeypatch.setenv('no_proxy', '127.0.0.1')
        yield silent, f'{address}/net.pth'


def ask(url, fetch):
    return download('weights: imagenet', 'VGG19', url, fetch, 'put it at /here')


def test_a_silent_server_is_given_up_within_five_seconds(server):
    start = time.monotonic()
    with pytest.raises(FileNotFoundError, match=r'cannot download VGG19 \(.*(timed out|no answer in 3 seconds)'):
        ask(server[1], pytest.fail)
    assert time.monotonic() - start < 5


def test_no_connection_is_one_line_that_says_what_to_do(server):
    server[0].close()
    url = server[1]
    expected = rf'^weights: imagenet: cannot download VGG19 \(.+\); fetch {url} on a machine .* and put it at /here$'
    with pytest.raises(FileNotFoundError, match=expected):
        ask(url, pytest.fail)
