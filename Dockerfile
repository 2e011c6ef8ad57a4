FROM python:3.13-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONPATH=/srv/mms:/srv/mms/platform
WORKDIR /srv/mms

# Every dependency is a wheel, checked against its hash: no compiler is needed.
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --require-hashes -r requirements.txt

COPY manage.py ./
COPY platform platform
COPY mms mms
COPY handsets handsets
COPY billing billing

# The URLs are not opened here: collectstatic only needs settings that can be loaded.
RUN DATABASE_URL=postgresql://unused REDIS_URL=redis://unused SECRET_KEY=unused \
        python manage.py collectstatic --no-input \
    && useradd --system --uid 10001 --no-create-home mms \
    && install -d -o mms /srv/mms/var/media
USER mms
VOLUME /srv/mms/var/media

EXPOSE 8000
# granian, with the options of platform/config/web.py.
CMD ["python", "-m", "config.web", "--host=0.0.0.0", "--port=8000"]
