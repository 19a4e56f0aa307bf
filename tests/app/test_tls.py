"""TLS on the listener."""

from __future__ import annotations

import asyncio
import signal
import ssl
from pathlib import Path

import boto3
import pytest
import trustme
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.app.test_serve import GET, Served, run_denyproxy, serving
from tests.proxy.wire import ACCESS_DENIED, FORBIDDEN, OK, PATIENCE, Wire, answering, upstream


class Authority:
    """A certificate authority that the test's clients trust."""

    def __init__(self, directory: Path) -> None:
        self._authority = trustme.CA()
        self.trusted = directory / "ca.pem"
        self._authority.cert_pem.write_to_path(self.trusted)
        self.certificate = directory / "cert.pem"
        self.key = directory / "key.pem"
        self.issue()

    def issue(self) -> None:
        """A new pair in place of the last."""
        pair = self._authority.issue_cert("127.0.0.1")
        self.key.write_bytes(pair.private_key_pem.bytes())
        self.certificate.write_bytes(b"".join(blob.bytes() for blob in pair.cert_chain_pems))

    @property
    def arguments(self) -> tuple[str, ...]:
        return ("--tls-certificate", str(self.certificate), "--tls-key", str(self.key))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def _connect(served: Served, authority: Authority) -> tuple[Wire, bytes]:
    """A connection, and the certificate that the server showed."""
    context = ssl.create_default_context(cafile=authority.trusted)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return Wire(reader, writer), shown


async def test_boto3_over_https(authority: Authority) -> None:
    """Upload, download and a denial; the body is what was sent."""
    body = bytes(range(256)) * 4096

    async def script(wire: Wire) -> None:
        while True:
            request = await wire.head()
            if request.first_line.startswith(b"PUT"):
                if request.get(b"expect"):
                    await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                sent = await (wire.chunks() if request.get(b"transfer-encoding") else wire.exactly(len(body)))
                assert body in sent or sent.count(bytes(range(256))) == 4096
                await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            elif b"denied" in request.first_line:
                await wire.send(FORBIDDEN)
            else:
                await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async with (
        upstream(script) as port,
        serving("--upstream", f"http://127.0.0.1:{port}", *authority.arguments) as served,
    ):
        assert f"endpoint_url=https://127.0.0.1:{served.port}" in served.start
        client = boto3.client(
            "s3",
            endpoint_url=f"https://127.0.0.1:{served.port}",
            region_name="us-east-1",
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="secret",
            verify=str(authority.trusted),
            config=Config(retries={"total_max_attempts": 1}),
        )
        await asyncio.to_thread(client.put_object, Bucket="bucket", Key="k", Body=body)
        read = await asyncio.to_thread(lambda: client.get_object(Bucket="bucket", Key="k")["Body"].read())
        assert read == body
        with pytest.raises(ClientError) as denied:
            await asyncio.to_thread(client.get_object, Bucket="bucket", Key="denied")
        assert "x-deny-explanation" in denied.value.response["ResponseMetadata"]["HTTPHeaders"]


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_sighup_reads_the_certificate_again(authority: Authority, workers: str) -> None:
    """New connections get the new one; those that are open go on; one that is broken is told and not used."""
    arguments = ("--workers", workers, *authority.arguments)
    async with (
        upstream(answering(OK)) as port,
        serving("--upstream", f"http://127.0.0.1:{port}", *arguments) as served,
    ):
        old, first = await _connect(served, authority)
        authority.issue()
        served.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(PATIENCE):
            for _ in range(16):  # in a row: all workers have it
                while True:
                    wire, shown = await _connect(served, authority)
                    await wire.close()
                    if shown != first:
                        break
        await old.send(GET)
        assert (await old.message()).body == b"ok"
        await old.close()
        authority.certificate.write_text("broken")
        served.process.send_signal(signal.SIGHUP)
        assert served.process.stderr is not None
        while b"holds no certificate" not in await asyncio.wait_for(served.process.stderr.readline(), PATIENCE):
            pass
        wire, _ = await _connect(served, authority)
        await wire.send(GET)
        assert (await wire.message()).body == b"ok"
        await wire.close()


async def test_a_client_without_tls_is_closed_and_others_go_on(authority: Authority) -> None:
    """Plain HTTP on a TLS port."""
    async with (
        upstream(answering(OK)) as port,
        serving("--upstream", f"http://127.0.0.1:{port}", *authority.arguments) as served,
    ):
        async with served.connect() as plain:
            await plain.send(GET)
            assert b"HTTP" not in await plain.ended()
        wire, _ = await _connect(served, authority)
        await wire.send(GET)
        assert (await wire.message()).status == 200
        await wire.close()


async def test_a_transfer_that_breaks_off_is_broken_over_tls(authority: Authority) -> None:
    """Never a short success."""

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")

    async with (
        upstream(script) as port,
        serving("--upstream", f"http://127.0.0.1:{port}", *authority.arguments) as served,
    ):
        wire, _ = await _connect(served, authority)
        await wire.send(GET)
        assert (await wire.head()).status == 200
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(wire.reader.readexactly(100), PATIENCE)
        await wire.close()


async def test_a_refused_upload_is_read_over_tls(authority: Authority) -> None:
    """wire.md 23: the 403 reaches a client that is still sending."""

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(FORBIDDEN)

    async with (
        upstream(script) as port,
        serving("--upstream", f"http://127.0.0.1:{port}", *authority.arguments) as served,
    ):
        wire, _ = await _connect(served, authority)
        await wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n" + bytes(1 << 20))
        answer = await wire.message()
        assert (answer.status, answer.get(b"connection")) == (403, b"close")
        assert ACCESS_DENIED[:60] in answer.body
        await wire.close()


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda a: a.certificate.unlink(), "listen_tls.certificate: {certificate} cannot be read: No such file"),
        (lambda a: a.key.unlink(), "listen_tls.key: {key} cannot be read: No such file"),
        (lambda a: a.certificate.write_text("x"), "listen_tls.certificate: {certificate} holds no certificate"),
        (lambda a: a.key.write_text("x"), "listen_tls.key: {key} holds no private key"),
        (
            lambda a: a.key.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nx\n-----END ENCRYPTED PRIVATE KEY-----"),
            "listen_tls.key: {key} is encrypted; give one that is not: openssl pkey -in {key}",
        ),
        (
            lambda a: a.key.write_bytes(trustme.CA().issue_cert("x").private_key_pem.bytes()),
            "listen_tls.key: {key} is not the key of {certificate}",
        ),
        (
            lambda a: a.certificate.write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"),
            "listen_tls.certificate: {certificate} or its key {key} is damaged",
        ),
    ],
)
async def test_files_that_cannot_be_used_are_named(authority: Authority, spoil: object, expected: str) -> None:
    """With what to do."""
    assert callable(spoil)
    spoil(authority)
    process = await run_denyproxy(
        "serve", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9", *authority.arguments
    )
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 2
    assert expected.format(certificate=authority.certificate, key=authority.key) in err.decode()
    assert b"Traceback" not in err


async def test_a_key_alone_is_no_tls(authority: Authority) -> None:
    """The certificate is missing."""
    process = await run_denyproxy("serve", "--upstream", "http://127.0.0.1:9", "--tls-key", str(authority.key))
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 2
    assert b"set listen_tls.certificate too" in err
