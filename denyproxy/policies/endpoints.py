"""VPC endpoints and their policies, as EC2 describes them.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpoints.html
"""

from __future__ import annotations

from collections.abc import Iterator

from denyproxy.iam.document import PolicyList
from denyproxy.policies import shapes
from denyproxy.policies.facts import Entry, FileFacts
from denyproxy.policies.tree import Node

REMEDY = "correct it, or save the output of `aws ec2 describe-vpc-endpoints` again"

NAME = "VPC endpoint policy"

# https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
_DEFAULT = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
"""What AWS attaches where nobody wrote a policy."""


def read_vpc_endpoints(root: Node, name: str) -> FileFacts:
    """The answer of DescribeVpcEndpoints, or one of the endpoints in it. The file's name says nothing."""
    nodes = root.member("VpcEndpoints").items()[0] if "VpcEndpoints" in root else (root,)
    return FileFacts(vpc_endpoints=tuple(_endpoints(nodes)))


def _endpoints(nodes: tuple[Node, ...]) -> Iterator[Entry[PolicyList]]:
    for node in nodes:
        endpoint = node.read(shapes.VpcEndpoint)
        if isinstance(endpoint, shapes.VpcEndpoint):
            policies = node.member("PolicyDocument").policies(NAME)
            if policies == PolicyList():
                policies = PolicyList((node.report.documents.compile(_DEFAULT, name=NAME),))
            yield Entry(endpoint.VpcEndpointId, policies, node.place)
        elif endpoint is None:
            node.error("an endpoint needs at least VpcEndpointId")
