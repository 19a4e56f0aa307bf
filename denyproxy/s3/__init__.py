"""How S3 uses IAM and speaks HTTP: callers, operations, actions, condition keys, its own authorization layers. Pure."""
