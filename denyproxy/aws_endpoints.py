"""S3's endpoints in every AWS partition, by botocore's rule set: loaded once at the edge and injected as a callable.

https://docs.aws.amazon.com/general/latest/gr/s3.html
"""

from __future__ import annotations

from urllib.parse import urlsplit

from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError
from botocore.loaders import Loader

from denyproxy.proxy.endpoints import Endpoint, Endpoints, kept
from denyproxy.proxy.errors import Refused
from denyproxy.proxy.upstream import Origin

_UNSUPPORTED = (
    "denyproxy's resign mode signs with Signature Version 4 alone: {} need {}. Reach them with the forward mode "
    "(HTTP_PROXY and an http:// endpoint), where nothing is signed again. This is denyproxy's own refusal."
)
_MULTI_REGION = _UNSUPPORTED.format("Multi-Region Access Points", "Signature Version 4A (SigV4A)")
_DIRECTORY = _UNSUPPORTED.format("directory buckets (S3 Express One Zone)", "session credentials of their own")


def aws_endpoints(*, dualstack: bool = False, fips: bool = False) -> Endpoints:
    """Where AWS serves a bucket. Answers are kept: the rules are asked once for each bucket and region."""
    loader = Loader()
    provider = EndpointProvider(loader.load_service_model("s3", "endpoint-rule-set-1"), loader.load_data("partitions"))

    def endpoint(bucket: str | None, region: str) -> Endpoint:
        parameters = {
            "Region": region,
            "UseFIPS": fips,
            "UseDualStack": dualstack,
            "ForcePathStyle": False,
            "Accelerate": False,
            "UseGlobalEndpoint": False,
            "UseArnRegion": True,
            **({} if bucket is None else {"Bucket": bucket}),
        }
        try:
            found = provider.resolve_endpoint(**parameters)
        except EndpointProviderError as error:
            message = f"denyproxy finds no endpoint of S3 for this request: {error}."
            raise Refused(message, status=400, code="InvalidRequest") from None
        schemes = [scheme for scheme in found.properties.get("authSchemes", ()) if scheme["name"] == "sigv4"]
        if not schemes:
            express = found.properties.get("backend") == "S3Express"
            raise Refused(_DIRECTORY if express else _MULTI_REGION, status=501, code="NotImplemented")
        url = urlsplit(found.url)
        assert url.hostname is not None
        return Endpoint(
            Origin(url.scheme, url.hostname, url.port or 443, "aws"),
            url.netloc,
            url.path.rstrip("/"),
            schemes[0]["signingRegion"],
            schemes[0]["signingName"],
        )

    return kept(endpoint, 10_000)
