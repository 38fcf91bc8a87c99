"""What several end-to-end tests on AWS begin with."""

from collections.abc import Iterator

import pytest

from tests.cloud import Cloud, cloud

pytest.register_assert_rewrite("tests.end_to_end.aws_yard")


@pytest.fixture
def sky(
    ministack_url: str,
    moto_url: str,
    aws_account: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cloud]:
    with cloud(ministack_url, moto_url) as made:
        monkeypatch.setenv("AWS_ENDPOINT_URL", made.url)
        yield made
