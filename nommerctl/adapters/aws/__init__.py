"""What a farm on AWS stands on: DynamoDB, SQS, EC2 and S3."""
