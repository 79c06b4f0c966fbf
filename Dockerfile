# One gateway process or several. The image holds no secret and no data: both live in the volume /data.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/gateway
COPY requirements.lock ./
RUN /opt/gateway/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
COPY schemas schemas
RUN /opt/gateway/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data gateway && install -d -o gateway -g gateway -m 0700 /data
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH \
    GATEWAY_HOST=0.0.0.0 \
    GATEWAY_PORT=8000 \
    GATEWAY_DATA=/data
USER gateway
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
ENTRYPOINT ["gateway"]
CMD ["serve", "--first-account", "alice"]
