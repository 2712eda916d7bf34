"""With CI=true a skipped test is a failure, since a CI machine has every extra and a browser; it may lack a GPU."""

import os

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and not hasattr(report, 'wasxfail') and os.environ.get('CI') == 'true':
        reason = report.longrepr[2]
        if 'GPU' not in reason:
            report.outcome = 'failed'
            report.longrepr = f'{item.nodeid}: with CI=true nothing is skipped but for a GPU. {reason}'
    return report
