FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY denyproxy denyproxy
RUN python -m venv /opt/denyproxy && /opt/denyproxy/bin/pip install --no-cache-dir .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin denyproxy
COPY --from=build /opt/denyproxy /opt/denyproxy
COPY config /etc/denyproxy
ENV PATH=/opt/denyproxy/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
EXPOSE 9090 9091
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9091/healthz', timeout=2)"]
ENTRYPOINT ["denyproxy", "serve"]
