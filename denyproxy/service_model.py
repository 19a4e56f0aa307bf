"""botocore's S3 service model, loaded once at the edge and handed to the pure packages as a table."""

from __future__ import annotations

from functools import cache

from botocore.loaders import Loader

from denyproxy.s3.operation import OperationTable


@cache
def s3_operations() -> OperationTable:
    """The operations of Amazon S3, as the installed botocore knows them (about a tenth of a second, once)."""
    return OperationTable.from_service_model(Loader().load_service_model("s3", "service-2"))
