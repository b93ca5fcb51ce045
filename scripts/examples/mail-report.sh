#!/bin/sh
# Runs a command and sends what it prints, if it prints anything or fails: for cron jobs and backups.
# What can't be sent now waits in the outbox (mua outbox flush).
#
# usage: mail-report.sh ACCOUNT TO COMMAND [ARGUMENT...]
set -u
[ $# -ge 3 ] || { echo "usage: $0 ACCOUNT TO COMMAND [ARGUMENT...]" >&2; exit 64; }
account=$1 to=$2
shift 2

report=$("$@" 2>&1)
code=$?
[ "$code" -eq 0 ] && [ -z "$report" ] && exit 0
printf '%s\n\nexit code %d\n' "$report" "$code" |
  mua --account "$account" send --to "$to" --subject "$(hostname): $1 ended with $code" --no-copy
