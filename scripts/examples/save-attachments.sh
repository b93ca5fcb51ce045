#!/bin/sh
# Saves the files of all messages that a search finds, and marks those messages.
#
# usage: save-attachments.sh ACCOUNT DIRECTORY QUERY...
# save-attachments.sh work ~/invoices from:billing -keyword:Saved
set -eu
[ $# -ge 3 ] || { echo "usage: $0 ACCOUNT DIRECTORY QUERY..." >&2; exit 64; }
account=$1 directory=$2
shift 2

mkdir -p "$directory"
# In a pipe a row is UID, flags, date, sender and subject, parted by tabs.
mua --account "$account" search has:attachment "$@" | cut -f1 | while read -r uid; do
  mua --account "$account" attachments save "$uid" --dir "$directory"
  mua --account "$account" flag "$uid" +Saved
done
