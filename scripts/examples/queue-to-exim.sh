#!/bin/sh
# In place of queued: a loop that takes what the intakes queued, as batch SMTP, to another MTA. A message is deleted here only
# when the other has answered for the whole batch; between the two a crash sends it twice, never not at all.
#
# usage: queue-to-exim.sh SITE [COMMAND...]     COMMAND reads batch SMTP, as "exim -bS" does, the default. $EVERY: seconds (5);
#                                               $ROUNDS: how many times (for ever).
set -eu
[ $# -ge 1 ] || { echo "usage: $0 SITE [COMMAND...]" >&2; exit 64; }
site=$1
shift
[ $# -gt 0 ] || set -- exim -bS
rounds=${ROUNDS:-0}
while :; do
  ids=$(posthorn --site "$site" queue list --json | tr ',' '\n' | sed -n 's/.*"id": *"\([^"]*\)".*/\1/p')
  for id in $ids; do
    # One message a batch: who refuses one does not stop the others.
    # exim -bS has greeted nobody, so it takes no parameters: requests for reports end here.
    posthorn --site "$site" queue export "$id" |
      sed '1,/^DATA/s/^\(MAIL FROM:<[^>]*>\|RCPT TO:<[^>]*>\).*/\1/' > "$site/queue/.export" && "$@" < "$site/queue/.export" &&
      posthorn --site "$site" queue delete "$id" > /dev/null || echo "$id stays" >&2
    rm -f "$site/queue/.export"
  done
  rounds=$((rounds - 1))
  [ "$rounds" -eq 0 ] && exit 0
  sleep "${EVERY:-5}"
done
