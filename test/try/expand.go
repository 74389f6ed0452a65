package main

import "strings"

// expand replaces $(NAME) by the variable's value, as the kubelet does in a container's env, command and args: $$ is a dollar
// sign, and a reference to a variable that is not there stays as it is.
func expand(text string, variables map[string]string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		switch {
		case strings.HasPrefix(after, "$"):
			out.WriteByte('$')
			text = after[1:]
		case strings.HasPrefix(after, "("):
			name, rest, closed := strings.Cut(after[1:], ")")
			if !closed {
				out.WriteString("$(")
				text = after[1:]
				continue
			}
			value, ok := variables[name]
			if !ok {
				value = "$(" + name + ")"
			}
			out.WriteString(value)
			text = rest
		default:
			out.WriteByte('$')
			text = after
		}
	}
}

// mount is a folder or file of this machine that a container would see at a path.
type mount struct{ path, source string }

// rewrite replaces paths that lead into a mount by paths of this machine, wherever in a text they stand as a word of their own:
// in a list, a URL, a command in JSON.
func rewrite(text string, mounts []mount) string {
	var out strings.Builder
	for i := 0; i < len(text); {
		var best mount
		if i == 0 || !inPath(text[i-1]) || strings.HasSuffix(text[:i], "://") {
			for _, m := range mounts {
				rest, found := strings.CutPrefix(text[i:], m.path)
				if found && len(m.path) > len(best.path) && (rest == "" || rest[0] == '/' || !inPath(rest[0])) {
					best = m
				}
			}
		}
		if best.path == "" {
			out.WriteByte(text[i])
			i++
			continue
		}
		out.WriteString(best.source)
		i += len(best.path)
	}
	return out.String()
}

// inPath reports whether c may be within a path, so that what follows or precedes it is no path of its own.
func inPath(c byte) bool {
	return c == '/' || c == '.' || c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}
