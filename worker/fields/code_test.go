package fields

import (
	"strings"
	"testing"
)

// TestCode has commands, their arguments separated by "|".
func TestCode(t *testing.T) {
	refused := []string{
		"sh|-c|echo {}", "sh|-c|{}", "/bin/bash|-lc|a {.name} b", "dash|-ec|x{#}", "zsh|-c|{}|zsh", "ksh|-e|-c|{}", "sh|-c|-e|{}", "sh|-c|--|{}",
		"bash|-euo|pipefail|-c|{}", "bash|-ceuo|pipefail|echo {}", "bash|-o|pipefail|+e|-c|{}", "bash|--norc|--rcfile|x|-c|{}", "/usr/local/bin/fish|--command|{}",
		"fish|--command=echo {}", "busybox|sh|-c|{}", "env|sh|-c|{}", "env|A=b|sh|-c|{}", "/usr/bin/env|-i|sh|-c|{}", "env|-S|sh -c {}", "timeout|5|sh|-c|{}",
		"timeout|-s|KILL|5|nice|-n|5|sh|-xc|{}", "tini|--|bash|-c|{}", "chroot|/mnt|sh|-c|{}", "su|nobody|-s|/bin/sh|-c|{}", "su|-|nobody|-c|{}", "flock|/x|-c|{}",
		"sh|-c|exec \"$@\"|sh|python|-c|{}", "find|.|-exec|sh|-c|{}|;",
		"python|-c|counts = {}", "python3|-uc|{}", "python3.12|-cprint('{}')", "python|-W|ignore|-c|{}", "python|-I|-c|{}", "pypy3|-c|{}",
		"perl|-e|{}", "perl|-ne|{}", "perl|-e|1;|-e|{}", "perl|-w|-Mstrict|-I|lib|-pe|s/a/{}/", "perl|-eprint {}", "perl5.36|-E|say {}", "perl|-i.bak|-lane|{}",
		"ruby|-e|{}", "ruby|-rjson|-ne|{}", "ruby|-r|json|-e|p {}", "node|-e|f({})", "node|-p|{}", "node|-pe|{}", "nodejs|--eval|{}", "node|--eval=f({})", "node|--require|x|-e|{}",
		"php|-r|{}", "php|-d|a=b|-r|{}", "php|-d|a=b|-nr|{.x}", "php|--run|{}", "php|-B|1;|-R|{}", "deno|eval|{}", "Rscript|-e|{}", "lua|-e|{}",
		"sh|-c|\\{} {}", "sh|-c|${}", "sh|-c|a\n{}\nb", "sh|-c|{.a.b}", "sh|-c|{.Size (MB)}",
	}
	for _, line := range refused {
		err := Command(strings.Split(line, "|")).Check()
		if err == nil || !strings.Contains(err.Error(), "in the text of a program") && !strings.Contains(err.Error(), "is not a field") {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, line := range []string{
		"{}", "echo|{}", "sh|{}", "sh|script.sh|-c|{}", "bash|-l|script.sh|-c|{}", `sh|-c|echo "$1"|sh|{}`, `bash|-euo|pipefail|-c|echo "$1"|bash|{}|{.name}`,
		`sh|-c|find "$1" -exec ls \{} \;|sh|{}`, `sh|-c|echo \{.x} \{#} ${#} {{.x}}|sh|{}`, "wc|-c|{}", "grep|-e|{}", "grep|-c|{}", "tar|-c|{}", "gzip|-c|{}",
		"python|main.py|-c|{}", "python|-m|pytest|-c|{}", `python|-c|import sys; counts = \{}; print(sys.argv[1])|{}`, "python|-u|main.py|{}", "python|-Xpycache_prefix=/{}|x.py",
		"perl|script.pl|-e|{}", "perl|-e|print $ARGV[0]|{}", "perl|-e|1|--|{}", "ruby|-rjson|x.rb|-e|{}", "node|app.js|-e|{}", "node|--max-old-space-size=9|app.js|-p|{}", "php|x.php|-r|{}",
		"php|-c|php.ini|x.php|{}", "ssh|-c|cipher|{}", "env|A={}|tool|{}", "timeout|5|tool|-c|{}", "/opt/push|-c|{}", "finish|-c|{}", "find|{}|-name|x",
		"deno|run|x.ts|{}", "su|nobody|-s|/bin/tool|{}", "python|-c", "sh|-c",
	} {
		if err := Command(strings.Split(line, "|")).Check(); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	err := Command{"sh", "-c", "echo {.name}"}.Check()
	if want := `{.name} is in the text of a program, which would run whatever an item holds: leave it out of the text and add it as an argument of its own ` +
		`(for a shell, "$1" in the text and sh, "{.name}" after it), or write \{.name} for the text itself`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}
