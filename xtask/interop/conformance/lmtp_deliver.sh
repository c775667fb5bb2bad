#!/bin/sh
# Sends by `lmtp deliver`, whose server stands in a file: `lmtp_deliver.sh LMTP HOST PORT TIMEOUT FROM RECIPIENT...`
set -u
lmtp=$1 host=$2 port=$3 timeout=$4 from=$5
shift 5
config=$(mktemp) || exit 78
trap 'rm -f "$config"' EXIT
cat > "$config" <<END
host = "$host"
port = $port
connect_timeout = $timeout
timeout = $timeout
final_timeout = $timeout
END
"$lmtp" deliver --config "$config" --from "$from" --many --json -- "$@"
