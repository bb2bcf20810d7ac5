# One image for the web server, the worker and the scheduler; docker-compose.yml says which is which.
FROM python:3.11-slim-bookworm AS packages
WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock

FROM python:3.11-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=expansion.settings \
    KIZASHI_DATA_DIR=/data \
    STATIC_ROOT=/app/staticfiles \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1
RUN useradd --uid 10001 --home-dir /data --no-create-home kizashi && install -d -o kizashi -g kizashi /data
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY . .
# The two addresses are only there to be read; neither command connects.
RUN DATABASE_URL=postgres://build@localhost/build REDIS_URL=redis://localhost KIZASHI_DATA_DIR=/tmp/build \
    sh -c 'python manage.py compile_translations && python manage.py collectstatic --noinput' \
    && rm -rf /tmp/build
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen(u.Request('http://127.0.0.1:8000/livez', headers={'Host': 'localhost'}), timeout=4)"]
CMD ["gunicorn", "expansion.wsgi:application", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", \
     "--workers", "2", "--threads", "4", "--no-control-socket", "--timeout", "60", "--graceful-timeout", "20"]
