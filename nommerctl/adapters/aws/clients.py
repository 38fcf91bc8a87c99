"""Clients of AWS services: credentials, region and endpoints from the usual chain, patience from the project."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config

from nommerctl.adapters.aws.errors import calling
from nommerctl.adapters.aws.models import CutDownLoader
from nommerctl.domain.text import shown
from nommerctl.errors import SettingsError

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_ec2.client import EC2Client
    from types_boto3_iam.client import IAMClient
    from types_boto3_pricing.client import PricingClient
    from types_boto3_s3.client import S3Client
    from types_boto3_sdb.client import SimpleDBClient
    from types_boto3_service_quotas.client import ServiceQuotasClient
    from types_boto3_sqs.client import SQSClient
    from types_boto3_ssm.client import SSMClient
    from types_boto3_sts.client import STSClient

CONNECT_TIMEOUT = 3
"""Seconds. botocore's own 60 s, times its tries, would let one call hang for minutes."""

READ_TIMEOUT = 10
"""Seconds without a byte."""

ATTEMPTS = 4
"""Tries of one call, with botocore's growing pauses between them, after throttling, 5xx, resets and time-outs.

AWS_MAX_ATTEMPTS and AWS_RETRY_MODE change nothing: a pass has a time limit, and the next one tries again anyway.
"""

PARALLEL = 8
"""Calls that one part of the farm makes side by side."""

PRICING_REGION = "us-east-1"
"""One of the few regions that have the Pricing API; it knows the prices of all."""


class Clients:
    """Makes each client when it is first asked for. All of them may be used by several threads at once.

    What `keep_on` raises comes out of any call, before each of its tries: so a time limit is heeded between two.
    `models` is the folder for a copy of what passes use of AWS's models (see models.py), which only `makes_models`
    makes; whoever asks for more than passes do (to bring a farm up, to examine it) goes without.
    """

    def __init__(
        self,
        *,
        region: str = "",
        profile: str = "",
        keep_on: Callable[[], None] = lambda: None,
        models: Path | None = None,
        makes_models: bool = False,
    ) -> None:
        self._region = region or None
        self._profile = profile or None
        self._keep_on = keep_on
        self._models = models
        self._makes_models = makes_models
        self._session: botocore.session.Session | None = None
        self._made: dict[tuple[str, str | None], Any] = {}
        self._one_at_a_time = threading.Lock()

    @property
    def dynamodb(self) -> "DynamoDBClient":
        """Of DynamoDB."""
        made: DynamoDBClient = self._client("dynamodb")
        return made

    @property
    def sqs(self) -> "SQSClient":
        """Of SQS."""
        made: SQSClient = self._client("sqs")
        return made

    @property
    def sdb(self) -> "SimpleDBClient":
        """Of SimpleDB."""
        made: SimpleDBClient = self._client("sdb")
        return made

    @property
    def ec2(self) -> "EC2Client":
        """Of EC2."""
        made: EC2Client = self._client("ec2")
        return made

    @property
    def pricing(self) -> "PricingClient":
        """Of the Pricing API."""
        made: PricingClient = self._client("pricing", PRICING_REGION)
        return made

    @property
    def iam(self) -> "IAMClient":
        """Of IAM."""
        made: IAMClient = self._client("iam")
        return made

    @property
    def ssm(self) -> "SSMClient":
        """Of the parameters of Systems Manager."""
        made: SSMClient = self._client("ssm")
        return made

    @property
    def sts(self) -> "STSClient":
        """Of the Security Token Service."""
        made: STSClient = self._client("sts")
        return made

    @property
    def service_quotas(self) -> "ServiceQuotasClient":
        """Of Service Quotas."""
        made: ServiceQuotasClient = self._client("service-quotas")
        return made

    def s3(self, region: str | None = None) -> "S3Client":
        """Of S3, in the region of a bucket that is in another one than the farm."""
        made: S3Client = self._client("s3", region)
        return made

    def close(self) -> None:
        """Close the connections."""
        with self._one_at_a_time:
            for client in self._made.values():
                client.close()
            self._made.clear()

    def _client(self, service: str, region: str | None = None) -> Any:  # noqa: ANN401 - botocore makes their classes
        key = service, region
        with self._one_at_a_time:  # making one is not safe for threads, using it is
            if key not in self._made:
                with calling(f"{service}:*", f"the service {service}"):
                    try:
                        self._made[key] = self._make(service, region)
                    except ValueError as error:  # as botocore says of an endpoint or a region that is none
                        msg = f"variables AWS_* or aws.region cannot be used: {shown(str(error))}"
                        raise SettingsError(msg) from error
            return self._made[key]

    def _make(self, service: str, region: str | None) -> Any:  # noqa: ANN401 - as above
        if self._session is None:
            self._session = self._begun()
        return self._session.create_client(
            service,
            region_name=region or self._region,
            config=Config(
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT,
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                max_pool_connections=2 * PARALLEL,
                user_agent_extra="nommerctl",
            ),
        )

    def _begun(self) -> botocore.session.Session:
        session = botocore.session.Session(profile=self._profile)
        session.register("before-send", self._heeded)
        if self._models is not None and not _has_own_models(session):
            session.register_component("data_loader", CutDownLoader(self._models, may_write=self._makes_models))
        return session

    def _heeded(self, **_: object) -> None:
        self._keep_on()


def _has_own_models(session: botocore.session.Session) -> bool:
    """Whether this user gave botocore models, which come before those that it brings."""
    return session.get_config_variable("data_path") is not None or os.path.lexists(CutDownLoader.CUSTOMER_DATA_PATH)
