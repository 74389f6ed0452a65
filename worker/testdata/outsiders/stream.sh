#!/usr/bin/env bash
# workqueue, mode stream: requests as lines of JSON on standard input.
# A request is {"id":...,"item":"text"}, and
# "encoding":"base64" beside it if the text of the item is not UTF-8.
LC_ALL=C # bytes, not characters
bs='\'

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

# utf8 CODEPOINT: sets $char
utf8() {
  local c=$1 o
  if ((c < 0x80)); then printf -v o '\\x%x' "$c"
  elif ((c < 0x800)); then printf -v o '\\x%x' $((0xc0 | c >> 6)) $((0x80 | c & 63))
  elif ((c < 0x10000)); then printf -v o '\\x%x' $((0xe0 | c >> 12)) $((0x80 | c >> 6 & 63)) $((0x80 | c & 63))
  else printf -v o '\\x%x' $((0xf0 | c >> 18)) $((0x80 | c >> 12 & 63)) $((0x80 | c >> 6 & 63)) $((0x80 | c & 63))
  fi
  printf -v char '%b' "$o"
}

# unquote RAW: decodes the inside of a JSON string into $text
unquote() {
  local raw=$1 c lo char
  text=
  while [[ $raw == *"$bs"* ]]; do
    text+=${raw%%"$bs"*}
    raw=${raw#*"$bs"}
    c=${raw:0:1} raw=${raw:1}
    case $c in
    b) text+=$'\b' ;; f) text+=$'\f' ;; n) text+=$'\n' ;; r) text+=$'\r' ;; t) text+=$'\t' ;;
    u)
      c=$((16#${raw:0:4})) raw=${raw:4}
      if ((c >= 0xd800 && c < 0xdc00)) && [[ ${raw:0:2} == "${bs}u" ]]; then
        lo=$((16#${raw:2:4})) raw=${raw:6}
        c=$((0x10000 + ((c - 0xd800) << 10) + lo - 0xdc00))
      fi
      utf8 "$c"
      text+=$char
      ;;
    *) text+=$c ;; # " \ /
    esac
  done
  text+=$raw
}

# quote TEXT: sets $json to a JSON string
quote() {
  local s=$1 i c e
  s=${s//"$bs"/"$bs$bs"}
  s=${s//'"'/"$bs"'"'}
  if [[ $s == *[[:cntrl:]]* ]]; then
    for ((i = 1; i < 32; i++)); do
      printf -v e '\\x%02x' "$i"
      printf -v c '%b.' "$e" # the dot protects the newline
      c=${c%.}
      printf -v e '\\u%04x' "$i"
      printf -v e '%s' "$e"
      s=${s//"$c"/"$e"}
    done
  fi
  json="\"$s\""
}

re_id='"id"[[:space:]]*:[[:space:]]*("([^"\]|\\.)*"|-?[0-9]+)'
re_item='"item"[[:space:]]*:[[:space:]]*"(([^"\]|\\.)*)"'
re_base64='"encoding"[[:space:]]*:[[:space:]]*"base64"'

while IFS= read -r line || [[ -n $line ]]; do
  [[ $line =~ $re_id ]] || { echo "no id: $line"; continue; }
  id=${BASH_REMATCH[1]} # as it came, with its quotes
  if ! [[ $line =~ $re_item ]]; then
    printf '{"id":%s,"status":"dead","reason":"no string in a field item of the request"}\n' "$id" >&3
    continue
  fi
  unquote "${BASH_REMATCH[1]}"
  item=$text
  if [[ $line =~ $re_base64 ]]; then item=$(printf '%s' "$item" | base64 -d; echo .); item=${item%.}; fi

  printf '{"level":"info","id":%s,"status":"failed","msg":"about to start"}\n' "$id"
  cat </dev/null 3>&- # reads standard input, as ffmpeg or ssh do: it gets another one
  quote "$item"
  if [[ $item == *bad* ]]; then
    printf '{"id":%s,"status":"failed","reason":%s}\n' "$id" "$json" >&3
  elif [[ $item == *hopeless* ]]; then
    printf '{"id":%s,"status":"dead","reason":%s}\n' "$id" "$json" >&3
  elif [[ $item == *later* ]] && first_time "$item"; then
    printf '{"id":%s,"status":"snoozed","reason":%s}\n' "$id" "$json" >&3
  elif ! append_to_ledger "$item"; then
    printf '{"id":%s,"status":"failed","reason":"cannot write the ledger"}\n' "$id" >&3
  else
    # A child contains "parent" too: without the second test the queue would never end.
    if [[ $item == *parent* && $item != child-of-* ]]; then
      quote "child-of-$item"
      printf '{"id":%s,"status":"push","push":[%s]}\n' "$id" "$json" >&3
    fi
    quote "${item^^}"
    printf '{"id":%s,"status":"done","result":%s}\n' "$id" "$json" >&3
  fi
done
exit 0
