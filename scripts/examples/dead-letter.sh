#!/bin/sh
# A dead-letter drop behind deliverd --exec: keeps each message for addresses that nobody has (or has any more), for somebody to
# look through, and says who wanted whom. Nothing is answered; what can't be kept stays in the queue.
#
#   conf/virtual        @old.example.org @dead.example.org     (a catch-all that keeps the name)
#   conf/transports     dead.example.org lmtp:unix:run/dead.sock
#   exec = "/path/dead-letter.sh /var/mail/dead"
#
# usage: dead-letter.sh DIRECTORY     one file a message, and a line in DIRECTORY/list. $SENDER and $RECIPIENT name them.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 DIRECTORY" >&2; exit 64; }
umask 077
mkdir -p "$1" || exit 75
file=$(mktemp "$1/$(date +%Y%m%d-%H%M%S).XXXXXX") || exit 75
cat > "$file" && sync "$file" || { rm -f "$file"; exit 75; }
printf '%s\t%s\t%s\n' "${file##*/}" "${SENDER:-<>}" "${RECIPIENT:-}" >> "$1/list"
