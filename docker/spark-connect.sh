#!/bin/sh
# Start a Spark Connect server with Delta Lake, in the foreground. `--resolve` only fetches Delta's jars.
# Works outside a container too: SPARK_HOME is the folder of pip's pyspark unless it is set.
#
#   CONNECT_HOST   address to listen on   (0.0.0.0: meant for a container's own network)
#   CONNECT_PORT   port                   (15002)
#   DRIVER_MEMORY  heap of the server     (4g)
#   MASTER         where tasks run        (local[*])
#   EXECUTOR_MEMORY  heap of an executor, where MASTER is a cluster  (1g)
#   PYSPARK_PYTHON  interpreter on each worker, with the libraries of docker/README.md  (python3 on PATH)
#   OBJECT_STORE   "true" for a lake in an object store, whose AWS_* variables are set  (false)
#   IVY_HOME       cache of fetched jars  (~/.ivy2.chu)
set -eu

[ -n "${SPARK_HOME:-}" ] || SPARK_HOME=$(python3 -c 'import importlib.util, sys
found = importlib.util.find_spec("pyspark") or sys.exit(f"pyspark is not installed for {sys.executable}")
print(found.submodule_search_locations[0])')
export SPARK_HOME
# The functions of queries run in this interpreter, at the same path on each worker.
: "${PYSPARK_PYTHON:=$(python3 -c 'import sys; print(sys.executable)')}"
export PYSPARK_PYTHON

# Jars that are not among Spark's own are fetched from Maven Central once: Delta, and the client of an object store in
# the version of the Hadoop client.
needed=
if ! ls "$SPARK_HOME"/jars/*delta-spark_* >/dev/null 2>&1; then
    needed=io.delta:delta-spark_4.2_2.13:$(python3 -c 'from importlib.metadata import version
print(version("delta-spark"))')
fi
store=
if [ "${OBJECT_STORE:-false}" = true ]; then
    if ! ls "$SPARK_HOME"/jars/*hadoop-aws-* >/dev/null 2>&1; then
        hadoop=$(basename "$SPARK_HOME"/jars/hadoop-client-api-*.jar .jar)
        needed=${needed:+$needed,}org.apache.hadoop:hadoop-aws:${hadoop##*-}
    fi
    # Spark itself reads endpoint and credentials from the environment. Rows that wait for their upload stay in memory.
    region=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
    case ${AWS_VIRTUAL_HOSTED_STYLE_REQUEST:-false} in [Tt]rue) path_style=false ;; *) path_style=true ;; esac
    store="--conf spark.hadoop.fs.s3a.path.style.access=$path_style --conf spark.hadoop.fs.s3a.multipart.size=16M
        --conf spark.hadoop.fs.s3a.fast.upload.buffer=bytebuffer
        ${region:+--conf spark.hadoop.fs.s3a.endpoint.region=$region}"
fi
packages=${needed:+--packages $needed --conf spark.jars.ivy=${IVY_HOME:-$HOME/.ivy2.chu}}

if [ "${1:-}" = --resolve ]; then
    # While an image is built its host name may be unknown, and nothing listens here.
    export SPARK_LOCAL_HOSTNAME=localhost
    # shellcheck disable=SC2086 # several words
    exec "$SPARK_HOME/bin/spark-submit" --master 'local[1]' $packages \
        --class org.apache.spark.deploy.SparkSubmit spark-internal --version
fi

# shellcheck disable=SC2086 # several words
exec "$SPARK_HOME/bin/spark-submit" \
    --class org.apache.spark.sql.connect.service.SparkConnectServer \
    --master "${MASTER:-local[*]}" \
    $packages $store \
    --conf "spark.driver.memory=${DRIVER_MEMORY:-4g}" \
    --conf "spark.executor.memory=${EXECUTOR_MEMORY:-1g}" \
    --conf spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension \
    --conf spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog \
    --conf "spark.connect.grpc.binding.address=${CONNECT_HOST:-0.0.0.0}" \
    --conf "spark.connect.grpc.binding.port=${CONNECT_PORT:-15002}" \
    --conf spark.sql.autoBroadcastJoinThreshold=-1 \
    --conf spark.sql.session.timeZone=UTC \
    --conf spark.sql.parquet.compression.codec=zstd \
    --conf spark.sql.shuffle.partitions=4 \
    --conf spark.databricks.delta.snapshotPartitions=2 \
    --conf spark.sql.maxPlanStringLength=1000 \
    --conf spark.ui.enabled=false \
    spark-internal
