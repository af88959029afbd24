"""The DNS updater: a Lambda function that keeps the MX host's address records true (design 6.1.4, F04)."""
