#!/usr/bin/env bash
# workqueue, mode exec: the item is the last argument, its name in messages is 1.
LC_ALL=C # bytes, not characters
item=${!#}

# bash cuts what it prints into writes of 4096 bytes, dd writes a long line in one.
append_to_ledger() {
  if ((${#1} < 4000)); then
    printf '%s\n' "$1" >>"$LEDGER"
  else
    printf '%s\n' "$1" | dd bs=8M iflag=fullblock oflag=append conv=notrunc status=none of="$LEDGER" 3>&-
  fi
}

# A snooze is no attempt, so the program itself remembers a second try.
first_time() {
  local sum
  sum=$(printf '%s' "$1" | sha256sum) || return 1
  mkdir -p "$LEDGER.later" && (set -C; : >"$LEDGER.later/${sum%% *}") 2>/dev/null
}

printf '{"level":"info","id":"1","status":"failed","msg":"about to start"}\n1 done\n'
case $item in
*bad*) printf '1 failed bad item: %s\n' "$item" >&3 ;;
*hopeless*) printf '1 dead hopeless item: %s\n' "$item" >&3 ;;
*)
  if [[ $item == *later* ]] && first_time "$item"; then
    printf '1 snoozed not now: %s\n' "$item" >&3
    exit 0
  fi
  append_to_ledger "$item" || { echo '1 failed cannot write the ledger' >&3; exit 1; }
  # A child contains "parent" too: without the second test the queue would never end.
  if [[ $item == *parent* && $item != child-of-* ]]; then
    printf '1 push child-of-%s\n' "$item" >&3
  fi
  # base64, because then no quote or backslash of the item needs escaping
  result=$(printf '%s' "${item^^}" | base64 | tr -d '\n')
  printf '{"id":"1","status":"done","result":"%s","encoding":"base64"}\n' "$result" >&3
  ;;
esac
exit 0
