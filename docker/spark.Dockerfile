# A Spark Connect server with Delta Lake, for CHU_ENGINE=spark, in the versions of requirements.lock.
# Built from the root of the project; see docker/README.md.
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE}
# The server writes into the lake: the user id that owns it.
ARG UID=10001
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-17-jre-headless procps \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid "${UID}" --user-group --no-create-home --home-dir /tmp chu \
    && install -d -o chu -g chu -m 0755 /var/lib/chu-lake \
    && python3 -m venv /opt/spark

COPY requirements.lock /build/
WORKDIR /build
RUN --mount=type=cache,target=/root/.cache/pip \
    sed -n '/^setuptools==/,/[^\\]$/p' requirements.lock > build.lock \
    && for name in pyspark py4j delta-spark \
        # What the functions of queries import, which run in the Python of the workers.
        numpy packaging pandas pyarrow python-dateutil pytz scipy six typing-extensions tzdata; do \
        sed -n "/^$name==/,/[^\\\\]\$/p" requirements.lock; done > spark.lock \
    && /opt/spark/bin/pip install --no-deps -r build.lock \
    && /opt/spark/bin/pip install --no-deps --no-build-isolation -r spark.lock

# true for a lake in an object store: the client of the store has 690 MB.
ARG OBJECT_STORE=false
COPY docker/spark-connect.sh /opt/spark/bin/spark-connect
ENV PATH=/opt/spark/bin:$PATH \
    OBJECT_STORE=${OBJECT_STORE} \
    SPARK_HOME=/opt/spark/lib/python3.11/site-packages/pyspark

# The jars of Delta and of the client are resolved now and put beside Spark's own, which has newer versions of all the
# others that are resolved with them: the server starts without a network.
RUN IVY_HOME=/tmp/ivy spark-connect --resolve \
    && cp /tmp/ivy/jars/io.delta_*.jar /tmp/ivy/jars/io.unitycatalog_*.jar "${SPARK_HOME}/jars/" \
    && if [ "${OBJECT_STORE}" = true ]; then \
        cp /tmp/ivy/jars/org.apache.hadoop_hadoop-aws-*.jar /tmp/ivy/jars/org.wildfly.openssl_*.jar \
            /tmp/ivy/jars/software.amazon.*.jar "${SPARK_HOME}/jars/"; fi \
    && rm -rf /tmp/ivy

USER chu
WORKDIR /tmp
EXPOSE 15002
ENTRYPOINT ["spark-connect"]
