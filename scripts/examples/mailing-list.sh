#!/bin/sh
# A mailing list: deliverd hands each message for it to this script, which sends it on to the members. A member that can't be
# reached is the owner's trouble, not the author's. Members may write, others are told so; a message that has been here is a loop.
#
#   conf/team.toml      listen = ["unix:run/team.sock"]     exec = "/path/mailing-list.sh conf/team.members owner@example.org ${recipient}"
#   conf/transports     team@example.org lmtp:unix:run/team.sock
#   start               deliverd --name team
#
# usage: mailing-list.sh MEMBERS OWNER LIST     MEMBERS: one address a line. $SENDER is who wrote, $SENDMAIL what sends (sendmail).
set -eu
[ $# -eq 3 ] || { echo "usage: $0 MEMBERS OWNER LIST" >&2; exit 64; }
[ -r "$1" ] || { echo "4.3.0 the list's members can't be read"; exit 75; }
grep -qixF "${SENDER:-}" "$1" || { echo "5.7.1 only members may write to $3"; exit 77; }
message=$(mktemp)
trap 'rm -f "$message"' EXIT
cat > "$message"
sed '/^$/q' "$message" | grep -qixF "List-Post: <mailto:$3>" && { echo "5.4.6 this message has been on $3"; exit 69; }
# shellcheck disable=SC2046 # one word each
{ printf 'List-Post: <mailto:%s>\nPrecedence: list\n' "$3"; cat "$message"; } | ${SENDMAIL:-sendmail} -i -f "$2" $(cat "$1")
