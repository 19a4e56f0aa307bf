FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY denyproxy denyproxy
RUN python -m venv /opt/denyproxy && /opt/denyproxy/bin/pip install --no-cache-dir .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin denyproxy && mkdir /policies
COPY --from=build /opt/denyproxy /opt/denyproxy
ENV PATH=/opt/denyproxy/bin:$PATH
ENV DENYPROXY_LISTEN=0.0.0.0:9090
ENV DENYPROXY_CONSOLE__LISTEN=127.0.0.1:9091
ENV DENYPROXY_POLICIES__DIRECTORY=/policies
USER 10001
EXPOSE 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9091/healthz', timeout=2)"]
ENTRYPOINT ["denyproxy", "serve"]
