"""denyproxy relays S3 traffic untouched and, when S3 says 403, says why.

The straight line, hot path above, cold path below; one value (DeniedCall) between them::

    client -> RequestHead -> UpstreamMode.prepare -> Upstream.send -> not a denial -> relay bytes -> client
                                                          |
                                   403 (or a 200 that carries denials)
                                                          v
                                                     DeniedCall
        s3.caller         whom did S3 see?
        s3.error          what kind of 403 is this?
        s3.operation      which S3 operation?
        s3.permissions    what had to be allowed?
        s3.context        with which condition keys?
        s3.authorization  what do policies, ACLs, Block Public Access say?
        explain           so why 403, and what would help?
                                                          v
                         header value | error message | denial record (log) | terminal

Packages are bodies of knowledge. ``iam`` is the policy language and its evaluation, ``s3`` is how S3 uses it
and speaks HTTP, ``explain`` is the only knowledge that is ours. These three, with ``sigv4`` and ``exchange``,
are pure: no I/O, no clock. ``proxy``, ``policies``, ``denylog`` and ``console`` do the I/O and are strangers
to one another; ``app`` introduces them.

Import rule, checked by import-linter::

    cli, app  >  proxy | policies | denylog | console  >  explain  >  s3  >  iam | sigv4 | exchange

``proxy`` never reaches ``iam``, not even indirectly: it imports ``sigv4`` and ``exchange`` and is handed callables.
"""

__version__ = "0.1.0"
