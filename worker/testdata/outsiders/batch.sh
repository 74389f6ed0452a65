#!/usr/bin/env bash
# workqueue, mode batch: one item a line on standard input, its name is its line from 1.
LC_ALL=C # bytes, not characters

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

n=0
while IFS= read -r item || [[ -n $item ]]; do
  n=$((n + 1))
  printf '{"level":"info","id":"%s","status":"failed","msg":"about to start"}\n%s done\n' "$n" "$n"
  cat </dev/null 3>&- # reads standard input, as ffmpeg or ssh do: it gets another one
  if [[ $item == *bad* ]]; then
    printf '%s failed bad item: %s\n' "$n" "$item" >&3
  elif [[ $item == *hopeless* ]]; then
    printf '%s dead hopeless item: %s\n' "$n" "$item" >&3
  elif [[ $item == *later* ]] && first_time "$item"; then
    printf '%s snoozed not now: %s\n' "$n" "$item" >&3
  elif ! append_to_ledger "$item"; then
    printf '%s failed cannot write the ledger\n' "$n" >&3
  else
    # A child contains "parent" too: without the second test the queue would never end.
    if [[ $item == *parent* && $item != child-of-* ]]; then
      printf '%s push child-of-%s\n' "$n" "$item" >&3
    fi
    # base64, because then no quote or backslash of the item needs escaping
    result=$(printf '%s' "${item^^}" | base64 | tr -d '\n')
    printf '{"id":%s,"status":"done","result":"%s","encoding":"base64"}\n' "$n" "$result" >&3
  fi
done
exit 0
