package terminal

import (
	"fmt"
	"strings"
	"testing"
)

const failing = `WQ_COMMAND=["sh", "-c", "case $0 in bad*) printf '\\033[31mtrace\\nKeyError: of a rather long text that no narrow terminal has any room for\\n' >&2; exit 3;; esac; printf 'result of %s\\n' $0"]`

// TestTables: on a terminal, records and runs are tables that are cut to its width, have colours, and obey nothing that a program has printed.
func TestTables(t *testing.T) {
	for _, columns := range []int{60, 80, 200} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			t.Parallel()
			q := newQueue(t, failing, "WQ_MAX_ATTEMPTS=1", "WQ_RECORD=all", "WQ_STOP_AFTER_DEAD=0")
			q.seed("good", "日本語-"+strings.Repeat("長", 40), "bad\x1b[2Jone")
			q.run("work")
			for _, test := range []struct {
				verb, header, row string
				lines             int
			}{
				{"dead", `^ID +ITEM +TRIES +ENDED +REASON +OUTPUT$`, `^3 +bad·\S+ +1 +[0-9:]+ UTC +exit code\S*( 3)? +KeyError:?`, 2},
				{"results", `^ID +ITEM +TOOK +ENDED +OUTPUT$`, `^1 +good +[<0-9.]+ m?s +[0-9:]+ UTC +result of good$`, 3},
				{"records", `^ID +ITEM +OUTCOME +TRY +TOOK +ENDED +REASON$`, `^3 +bad·\S+ +dead +1 +[<0-9.]+ m?s +[0-9:]+ UTC +exit code`, 4},
				{"runs", `^QUEUE +STATE +ITEMS +DONE +DEAD +START\S+ +DURA\S+$`, `^fruits-00000000aa +failed +3 +2 +1 +20`, 2},
			} {
				s := q.open(columns, test.verb)
				shown := s.await(test.header)
				shown = s.await(test.row)
				shown, code := s.end()
				if len(shown) != test.lines || code != 0 {
					t.Errorf("worker %s: exit code %d, want %d lines:\n%s", test.verb, code, test.lines, strings.Join(shown, "\n"))
				}
				_, written := s.lines()
				if coloured := strings.Contains(written, "\x1b[31m"); coloured != (test.verb == "records" || test.verb == "runs") || strings.Contains(written, "\x1b[2J") {
					t.Errorf("worker %s: %q", test.verb, written)
				}
			}
			if shown, _ := q.open(columns, "WQ_FORMAT=jsonl", "dead").end(); !strings.HasPrefix(shown[0], `{"item":`) {
				t.Errorf("a format that is asked for is not used:\n%s", strings.Join(shown, "\n"))
			}
			if piped := q.run("dead"); !strings.HasPrefix(piped, `{"item":`) || strings.Count(piped, "\n") != 1 {
				t.Errorf("a pipe does not get JSON Lines: %s", piped)
			}
			shown, code := q.open(columns, "status").end()
			text := strings.Join(shown, "\n")
			if code != 65 || len(shown) > 24 || !strings.Contains(text, "failed: 1 of 3 items is dead") || !strings.Contains(text, "worker WQ_QUEUE=fruits-00000000aa retry") {
				t.Errorf("worker status: exit code %d:\n%s", code, text)
			}
		})
	}
}
