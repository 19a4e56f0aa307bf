"""The relay: what goes between client and S3, byte for byte. I/O; has never heard of policies.

The straight line, and who does what::

    client      ClientConnection (client)      requests off a connection one after another, responses back onto it
                    Relay.handle (handler)     the line itself; denials (denials, late_errors) leave it for `answer`
                    UpstreamMode (modes)       passthrough, forward, resign: which request S3 is to see
                    Upstream (upstream)        what the handler asks of a client; PoolUpstream (pool) is it
    S3          UpstreamConnection (connection)

Heads stay bytes (http1, field_names, heads) and bodies stream (framing, received, bodies, uploads): what is not looked
at is not altered. ``http1`` and ``framing`` do no I/O. Errors of our own are S3-style XML (errors), written like any
response (reply). The resign mode has modules of its own: endpoints, redirects, signers, resigned_heads, forms; the
signatures themselves are ``denyproxy.sigv4``'s.
"""
