#!/bin/sh
# Put the password of Dagster's database where libpq, and nothing else, looks for it; then run the command.
# So it is in no environment, no configuration that the UI shows, and no list of processes.
set -eu

secret=/run/secrets/postgres_password
if ! [ -s "$secret" ]; then
    echo "chu: $secret is missing or empty: there is no default password (docker/README.md, \"Secrets\")" >&2
    exit 1
fi
# In a shell of its own: what the command publishes must be readable for others.
(
    umask 077
    printf '%s:*:dagster:dagster:%s\n' "$DAGSTER_POSTGRES_HOST" "$(sed 's/[\\:]/\\&/g' "$secret")" > "$PGPASSFILE"
)
exec "$@"
