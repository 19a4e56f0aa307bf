"""Signature Version 4 (and 2) as it is written on requests: credentials and canonical requests. Pure, sans-I/O."""
