#!/bin/sh
# Start a standalone Spark cluster on this machine, from pip's pyspark: one master, its workers, and a Spark Connect
# server whose tasks run on them. Prints the address when it answers; Ctrl-C, or the end of a command, stops all of it.
#
#   docker/spark-cluster.sh                       serve until Ctrl-C
#   docker/spark-cluster.sh COMMAND ARGUMENT...   run a command with CHU_ENGINE and CHU_SPARK_REMOTE set, then stop
#
# The interpreter is the first python3 on PATH: PATH=$PWD/.venv/bin:$PATH docker/spark-cluster.sh
#
#   CONNECT_PORT   port of the Spark Connect server     (15002)
#   MASTER_PORT    port of the master                   (7077)
#   WORKERS        number of workers, of one core each  (2)
#   WORKER_MEMORY  memory of a worker for its executor  (1500m)
#   WORK           folder of logs and local files       (a new one, removed at the end)
#   OBJECT_STORE   as for spark-connect.sh: then the workers share no folder
set -eu
here=$(cd "$(dirname "$0")" && pwd)

[ -n "${SPARK_HOME:-}" ] || SPARK_HOME=$(python3 -c 'import importlib.util, sys
found = importlib.util.find_spec("pyspark") or sys.exit(f"pyspark is not installed for {sys.executable}")
print(found.submodule_search_locations[0])')
: "${CONNECT_PORT:=15002}" "${MASTER_PORT:=7077}" "${WORKERS:=2}" "${WORKER_MEMORY:=1500m}"
HOST=127.0.0.1

own=
[ -n "${WORK:-}" ] || { WORK=$(mktemp -d); own=$WORK; }
mkdir -p "$WORK"
pids=
stop() {
    trap - EXIT INT TERM
    # shellcheck disable=SC2086 # several words
    kill $pids 2>/dev/null || true
    wait
    [ -z "$own" ] || rm -rf "$own"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start NAME COMMAND...: in the background, with its output in a log.
start() {
    name=$1
    shift
    "$@" > "$WORK/$name.log" 2>&1 < /dev/null &
    pids="$! $pids"
}

# await NAME PORT: until something listens; fails when no process of ours is left to do so.
await() {
    last=${pids%% *}
    until python3 -c "import socket; socket.create_connection(('$HOST', $2), 1).close()" 2>/dev/null; do
        if ! kill -0 "$last" 2>/dev/null; then
            echo "spark-cluster: $1 did not start:" >&2
            tail -n 5 "$WORK/$1.log" >&2
            exit 1
        fi
        sleep 0.5
    done
}

for port in "$MASTER_PORT" "$CONNECT_PORT"; do
    if python3 -c "import socket; socket.create_connection(('$HOST', $port), 1).close()" 2>/dev/null; then
        echo "spark-cluster: port $port is taken: set MASTER_PORT or CONNECT_PORT" >&2
        exit 1
    fi
done

# Variables are given one by one, not exported: COMMAND may have clients of Spark, which read the same ones.
master="spark://$HOST:$MASTER_PORT"
daemon() {
    name=$1
    shift
    start "$name" env SPARK_HOME="$SPARK_HOME" SPARK_LOCAL_IP=$HOST SPARK_DAEMON_MEMORY=512m \
        SPARK_LOCAL_DIRS="$WORK/$name-local" \
        "$SPARK_HOME/bin/spark-class" "$@" --host $HOST --webui-port 0
}
daemon master org.apache.spark.deploy.master.Master --port "$MASTER_PORT"
await master "$MASTER_PORT"
n=0
while [ "$n" -lt "$WORKERS" ]; do
    n=$((n + 1))
    daemon "worker-$n" org.apache.spark.deploy.worker.Worker "$master" \
        --cores 1 --memory "$WORKER_MEMORY" --work-dir "$WORK/worker-$n"
done
start connect env SPARK_HOME="$SPARK_HOME" SPARK_LOCAL_IP=$HOST MASTER="$master" CONNECT_HOST=$HOST \
    SPARK_LOCAL_DIRS="$WORK/connect-local" \
    CONNECT_PORT="$CONNECT_PORT" DRIVER_MEMORY="${DRIVER_MEMORY:-1g}" EXECUTOR_MEMORY="$WORKER_MEMORY" \
    "$here/spark-connect.sh"
await connect "$CONNECT_PORT"
until [ "$(grep -c 'Registering worker' "$WORK/master.log")" -ge "$WORKERS" ]; do sleep 0.5; done

echo "Spark Connect  sc://$HOST:$CONNECT_PORT  (master $master, $WORKERS workers; logs in $WORK)"
if [ $# -gt 0 ]; then
    CHU_ENGINE=spark CHU_SPARK_REMOTE="sc://$HOST:$CONNECT_PORT" "$@"
else
    echo "Ctrl-C stops all of it."
    wait
fi
