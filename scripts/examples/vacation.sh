#!/bin/sh
# An answer while somebody is away, behind deliverd --exec: delivers the message, then answers its sender, each once a week. It
# never answers lists, machines, reports, or mail that does not name the user in To or Cc (RFC 3834).
#
#   exec = "/path/vacation.sh ann@example.org /var/lib/vacation/ann /path/text deliverd --site DIR --stdin -d ann@example.org"
#
# usage: vacation.sh USER STATE TEXT DELIVER...     STATE: a directory of ours. $SENDER is who wrote, $SENDMAIL what sends (sendmail).
set -eu
[ $# -ge 4 ] || { echo "usage: $0 USER STATE TEXT DELIVER..." >&2; exit 64; }
user=$1 state=$2 text=$3
shift 3
message=$(mktemp)
trap 'rm -f "$message"' EXIT
cat > "$message"
"$@" -f "${SENDER:-}" < "$message" # what fails here is the delivery's failure: no answer then

# Field by field, continued lines joined.
header=$(sed '/^$/q' "$message" | sed -e ':a' -e 'N' -e '$!ba' -e 's/\n[ \t]/ /g')
has() { printf '%s\n' "$header" | grep -qiE "$1"; }
case ${SENDER:-} in "" | MAILER-DAEMON* | owner-* | *-request@* | *-owner@* | *bounce* | "$user") exit 0 ;; esac
has '^(List-|Precedence: *(bulk|list|junk)|Auto-Submitted: *(auto|.*-notify))' && exit 0
has "^(To|Cc):.*$(printf %s "$user" | sed 's/[].[^$*+?(){}|\\]/\\&/g')" || exit 0
# A name that can't leave the directory; a file younger than a week is an answer given.
known=$state/$(printf %s "$SENDER" | cksum | tr ' ' -)
[ -z "$(find "$known" -mtime -7 2> /dev/null)" ] || exit 0
: > "$known"
{
  printf 'From: <%s>\nTo: <%s>\nSubject: Auto: away\nAuto-Submitted: auto-replied\n' "$user" "$SENDER"
  printf 'MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n'
  printf '%s\n' "$header" | sed -n 's/^[Mm]essage-[Ii][Dd]: */In-Reply-To: /p'
  echo
  cat "$text"
} | ${SENDMAIL:-sendmail} -i -f "<>" "$SENDER"
