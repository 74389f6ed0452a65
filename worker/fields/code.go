package fields

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// interpreters are programs that run the text in an argument, by the option that precedes the text. They may come after other programs, as in
// timeout 5 sh -c TEXT. The chart has the same list in _validate.tpl.
var interpreters = []struct{ programs, option string }{
	{`(?:r?ba|da|a|z|k|mk|pdk|ya|fi|c|tc|elvi|)sh|pwsh|nu|xonsh|guile|i?python[0-9.]*|pypy[0-9.]*`, `-[A-VYZa-z]*c[A-Za-z]*|-[A-Za-z]*(?:c[A-Za-z]*o|o[A-Za-z]*c)\x00[^\x00]*|--command|-[Cc]ommand`},
	{`perl[0-9.]*|j?ruby[0-9.]*|node|nodejs|bun|deno|lua(?:jit)?[0-9.]*|Rscript|R|julia|elixir|groovy|scala|racket|octave`, `-[A-Za-z0-9]*[eEp]|--eval|--print|eval`},
	{`php[0-9.]*`, `-[A-Za-z]*[rBRE]|--run|--process-(?:begin|code|end)`},
	{`env`, `-[A-Za-z0]*S|--split-string`},
	{`(?:su|runuser|sg|flock|script)(?:\x00[^\x00]*)*`, `-[A-Za-z]*c|--command`},
}

// options matches what may stand before the option that precedes a text, and between the two. Some options have an operand: bash -o pipefail,
// python -W ignore, perl -I lib.
const options = `(?:\x00[-+][^\x00]*|\x00[-+][A-Za-z]*[oOWXICrd]\x00[^\x00]*|\x00--(?:rcfile|init-file|require|import)\x00[^\x00]*|\x00(?:%[1]s)\x00[^\x00]*)*`

// inCode matches arguments, each after a NUL, up to a placeholder in the text of a program.
var inCode = sync.OnceValue(func() *regexp.Regexp {
	var each []string
	for _, i := range interpreters {
		before := fmt.Sprintf(options, i.option)
		each = append(each, `(?:`+i.programs+`)`+before+`\x00(?:`+i.option+`)(?:=|`+before+`\x00)?`)
	}
	return regexp.MustCompile(`\x00(?:[^\x00]*/)?(?:` + strings.Join(each, `|`) + `)(?:(?:[^\x00]*[^\x00\\${])?\{(?:#|\.(?:[^\x00}\\]|\\[^\x00])*)\}|(?:[^\x00]*[^\x00\\])?\{\})`)
})

// checkCode returns an error for a placeholder in the text of a program, which would run whatever an item holds.
func (c Command) checkCode() error {
	found := inCode().FindString("\x00" + strings.Join(c, "\x00"))
	if found == "" {
		return nil
	}
	found = found[strings.LastIndexByte(found, '{'):]
	return fmt.Errorf(`%s is in the text of a program, which would run whatever an item holds: leave it out of the text and add it as an argument of its own `+
		`(for a shell, "$1" in the text and sh, "%[1]s" after it), or write \%[1]s for the text itself`, found)
}
