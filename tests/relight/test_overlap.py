import threading

from s3net_plugin.relight.overlap import overlapped

PATIENCE = 30  # seconds, after which a test that would wait for ever fails


def test_the_next_is_read_and_the_last_written_while_one_is_computed():
    """Each computation waits until that has happened, which it would for ever if they took turns."""
    is_read, is_written = ([threading.Event() for _ in range(4)] for _ in range(2))
    computing = []

    def read(item):
        is_read[item].set()
        return item

    def compute(item):
        computing.append(threading.current_thread())
        assert is_read[min(item + 1, 3)].wait(PATIENCE)
        assert item == 0 or is_written[item - 1].wait(PATIENCE)
        assert not any(event.is_set() for event in is_read[item + 2 :])  # one ahead, no more
        return -item

    def write(item, content, result):
        is_written[item].set()
        return item, content, result

    found = [(item, future.result()) for item, future in overlapped(range(4), read, compute, write)]
    assert found == [(item, (item, item, -item)) for item in range(4)]
    assert set(computing) == {threading.current_thread()}


def test_an_error_is_that_of_its_item_wherever_it_is_raised():
    def fail_at(stage):
        def work(item, *_):
            if item == stage:
                raise KeyError(stage)
            return item

        return work

    items = ['read', 'fine', 'compute', 'write', 'good']
    done = overlapped(items, *map(fail_at, ('read', 'compute', 'write')))
    outcomes = {item: repr(future.exception()) for item, future in done}
    assert list(outcomes) == items
    assert outcomes == {item: 'None' if item in ('fine', 'good') else f"KeyError('{item}')" for item in items}
