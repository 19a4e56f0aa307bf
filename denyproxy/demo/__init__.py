"""A whole S3 world on loopback: an enforcing server, users who are denied, and denyproxy in front of it.

`leash` runs servers that never outlive us, `backend` the enforcing server, `world` the accounts, users and buckets,
`export` the policy directory, `cases` the requests and what must be said about them, `show` the screen.
"""
