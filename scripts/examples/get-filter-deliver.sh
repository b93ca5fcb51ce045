#!/bin/sh
# Fetches POP3 mail of an account, passes each message through a filter, and delivers it to a local user.
# A message is deleted on the server only when deliverd has it on disk: any failure in between keeps it there.
#
# usage: get-filter-deliver.sh ACCOUNT FILTER DELIVER
#   FILTER    reads a message, writes it, perhaps with a field more: cat, "spamc", "bogofilter -p"
#   DELIVER   what takes it: "deliverd --site DIR --stdin -d bob@example.org"
set -eu
[ $# -eq 3 ] || { echo "usage: $0 ACCOUNT FILTER DELIVER" >&2; exit 64; }

# A pipe's exit code is its last command's; the filter's would be lost. So it writes into a file first.
exec mua --account "$1" get --exec "
  set -e
  message=\$(mktemp)
  trap 'rm -f \"\$message\"' EXIT
  $2 > \"\$message\"
  $3 < \"\$message\""
