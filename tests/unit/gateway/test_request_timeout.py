"""The time limit of a request: what the caller asks for, up to the gateway's own limit."""

import pytest
from starlette.datastructures import Headers

from phonoscope.gateway.problems import ProblemError
from phonoscope.gateway.request_timeout import request_timeout_seconds


@pytest.mark.parametrize(("stated", "seconds"), [(None, 60), ("10", 10), ("0.5", 0.5), ("61", 60), (" 7 ", 7)])
def test_it_is_the_smaller_of_both(stated, seconds):
    headers = Headers({} if stated is None else {"x-timeout-seconds": stated})
    assert request_timeout_seconds(headers, max_seconds=60) == seconds


@pytest.mark.parametrize("stated", ["", "0", "-1", "nan", "inf", "ten"])
def test_a_header_that_is_not_a_time_is_rejected(stated):
    with pytest.raises(ProblemError) as refused:
        request_timeout_seconds(Headers({"x-timeout-seconds": stated}), max_seconds=60)
    assert refused.value.problem.reason == "TIMEOUT_INVALID"
