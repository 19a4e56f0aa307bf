"""The relay: what goes between client and S3, byte for byte. I/O; has never heard of policies."""
