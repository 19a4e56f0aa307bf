"""The IAM policy language and its evaluation logic. Pure; has never heard of S3 or HTTP."""
