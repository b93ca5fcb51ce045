#!/bin/sh
# A site made of single daemons, as a shell starts them: users, delivery, queue, and the door for mail. Each one stands alone and
# finds the others by the sockets in SITE/run; end it with SIGTERM or Ctrl-C.
#
# usage: site-by-hand.sh SITE LISTEN     SITE has conf/posthorn.toml and conf/users; LISTEN as inet:127.0.0.1:2525
set -eu
[ $# -eq 2 ] || { echo "usage: $0 SITE LISTEN" >&2; exit 64; }
site=$1 listen=$2 pids=
mkdir -p "$site/run" "$site/log" "$site/mail" "$site/queue/segments" "$site/queue/free" "$site/queue/spool" "$site/queue/drop"
agent() {
  name=$1
  shift
  "$name" --site "$site" "$@" 2>> "$site/log/$name.log" &
  pids="$pids $!"
}
trap 'kill $pids; wait; exit 0' TERM INT
agent authd
agent deliverd
agent queued
agent smtpd --listen "$listen"
wait
