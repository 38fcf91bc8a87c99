"""What several end-to-end tests on AWS begin with."""

import pytest

pytest.register_assert_rewrite("tests.end_to_end.aws_yard")
