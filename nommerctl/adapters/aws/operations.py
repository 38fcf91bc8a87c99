"""What of AWS is used, by service: all that a client of ours can be asked for.

Whoever calls another operation adds it here; tests/adapters/aws/test_operations.py says when one is missing.
"""

OPERATIONS = {
    "dynamodb": (
        "BatchGetItem",
        "CreateTable",
        "DeleteItem",
        "DescribeEndpoints",  # botocore's own call, where endpoint discovery is asked for
        "DescribeTable",  # for the waiter table_exists
        "GetItem",
        "PutItem",
        "Query",
        "TransactWriteItems",
        "UpdateItem",
        "UpdateTimeToLive",
    ),
    "ec2": (
        "CreateFleet",
        "DescribeInstances",
        "DescribeSpotPriceHistory",
        "RunInstances",
        "TerminateInstances",
    ),
    "pricing": ("GetProducts",),
    "s3": (
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CreateMultipartUpload",
        "CreateSession",  # botocore's own call, for directory buckets
        "GetObject",  # s3transfer's call, for downloads
        "HeadBucket",  # botocore's own call, when a bucket is in another region
        "HeadObject",  # s3transfer's call, for downloads
        "ListMultipartUploads",
        "ListObjectsV2",
        "ListParts",
        "UploadPart",
    ),
    "sdb": (
        "BatchDeleteAttributes",
        "BatchPutAttributes",
        "CreateDomain",
        "DeleteAttributes",
        "GetAttributes",
        "PutAttributes",
        "Select",
    ),
    "sqs": (
        "ChangeMessageVisibilityBatch",
        "CreateQueue",
        "DeleteMessageBatch",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ReceiveMessage",
        "SendMessageBatch",
    ),
}
"""The operations of each service, by AWS's names."""

CREDENTIAL_SERVICES = ("signin", "sso", "sso-oidc", "sts")
"""Where botocore may have to ask for credentials; it does so by its own models."""
