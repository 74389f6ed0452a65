package fields

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestFill(t *testing.T) {
	const item = `{"url": "https://a/?b&c", "n": 1.50, "big": 12345678901234567890, "yes": true, "none": null, "First name": "Ada", "größe": "ü",
		"a": {"b": {"c": [1, 2]}, "x": "y"}, "d.e": "dotted", "empty": "", "brace": "{.n}{}",
		"Size (MB)": 3, "price/unit": "9.5", "Gene #": "g1", "名前": "山田", "a}b": "braced", "q\"\\": "quoted", "": "nameless", " x ": "spaced", "*": "star", "p": {"d.e": {"f": 1}}, "p.q": {"r": 2}}`
	for arg, want := range map[string]string{
		"{}":                           item,
		"no placeholder":               "no placeholder",
		"{#}-{.n}":                     "7-1.50",
		"{.url}":                       "https://a/?b&c",
		"{.big} {.yes}":                "12345678901234567890 true",
		"{.First name}":                "Ada",
		"{.größe}":                     "ü",
		"<{.empty}>":                   "<>",
		"{.a}":                         `{"b": {"c": [1, 2]}, "x": "y"}`,
		"{.a.b.c} {.a.x}":              "[1, 2] y",
		"{.d.e}":                       "dotted",
		"{.brace}":                     "{.n}{}", // what comes from an item is not replaced again
		`{"n":{.n}}`:                   `{"n":1.50}`,
		"{{.Names}} {{#}}":             "{{.Names}} {{#}}",
		"${#} ${.sh.version}":          "${#} ${.sh.version}",
		`\{.status.phase} \{#}`:        "{.status.phase} {#}",
		`s/\{.*}/x/; \{.items[*].n} \`: `s/{.*}/x/; {.items[*].n} \`,
		`\{.*\} {.*\}`:                 `\{.*\} {.*\}`, // braces of a regular expression
		`\{} \\{} \{}{#}`:              `{} \{} {}7`,
		"{#":                           "{#",
		`{."Size (MB)"}/{."price/unit"}/{."Gene #"}`: "3/9.5/g1",
		`{."First name"} {."名前"} {.名前}`:              "Ada 山田 山田",
		`{."a}b"}{."q\"\\"}{.""}{." x "}{."*"}`:      "bracedquotednamelessspacedstar",
		`{."\u0067r\u00f6ße"}`:                       "ü",
		`{."d.e"} {.p."d.e".f} {.p."d.e"}`:           `dotted 1 {"f": 1}`,
		`\{."Size (MB)"}{{."x"}}`:                    `{."Size (MB)"}{{."x"}}`,
	} {
		c := Command{"program", arg}
		got, err := c.Fill("7", item)
		if err != nil || c.Check() != nil || !slices.Equal(got, []string{"program", want}) {
			t.Errorf("%s: got %q, %v, %v; want %q", arg, got, err, c.Check(), want)
		}
	}
	for _, test := range []struct{ item, arg, want string }{
		{item, "{.x}", "the item has no field x; its fields are ,  x , *, First name, Gene #, Size (MB), a, a}b, big"},
		{item, "{.a.z}", "the item has no field a.z; its fields are"},
		{item, "{.url.z}", "the item has no field url.z"},
		{item, "{.none}", "the item's field none is null"},
		{"apple", "{.x}", "the item is not a JSON object, so it has no field x"},
		{`["x"]`, "{.x}", "the item is not a JSON object"},
		{`{"x": }`, "{.x}", "the item is not a JSON object"},
		{item, `{."p.q.r"}`, `the item has no field "p.q.r"`},
		{item, `{."a".z}`, `the item has no field "a".z`},
		{item, `{.url."z"}`, `the item has no field url."z"`},
		{item, `{."none"}`, `the item's field "none" is null`},
		{`{"x": 1, "x": 2}`, "{.x}", "the item has the field x twice"},
		{`{"a": {"x": 1, "x": 2}}`, "{.a.x}", "the item has the field x twice"},
		{`{"x": "\ud83d"}`, "{.x}", "the item's field x is a string that is not all text"},
		{"{\"x\": \"\xff\"}", "{.x}", "bytes that are not UTF-8"},
	} {
		_, err := Command{test.arg}.Fill("7", test.item)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s, %s: got %v, want %s", test.item, test.arg, err, test.want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, arg := range []string{"{.}", "x{.a.}", "{..a}", "{.a..b}", "{. a}", "{.a }", "{.Size (MB)}", "{.price/unit}", "{.Gene #}", "{.*}", "{.5, print}", "{.items[*].n}",
		`{."a}`, `{."a"b}`, `{."a\x"}`, `{.a."}`, "{.a\nb}"} {
		if err := (Command{arg}).Check(); err == nil || !strings.Contains(err.Error(), `or \{.`) {
			t.Errorf("%s: %v", arg, err)
		}
	}
	err := Command{"{.Size (MB)}"}.Check()
	if want := `{.Size (MB)} is not a field: write {.name} or {.name.name}, with letters, digits, _, - and single spaces, another name as a JSON string, {."Size (MB)"}, ` +
		`or \{.Size (MB)} for the text itself`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	for _, arg := range []string{`\{.}`, "{{.}}", "${.}", `\{.5, print}`, `{.*\}`, "{", "{.a", `\{."a}`} {
		if err := (Command{arg}).Check(); err != nil {
			t.Errorf("%s: %v", arg, err)
		}
	}
	for arg, want := range map[string]string{"a{}": "{}", "{#}": "{#}", `\{.a}{.b}`: "{.b}", `\{.a}`: "", "{{.a}}${#}": "", "${}": "{}"} {
		if got := (Command{arg}).Placeholder(); got != want {
			t.Errorf("%s: got %q, want %q", arg, got, want)
		}
	}
}

func TestVariables(t *testing.T) {
	object, err := Parse(`{"url": "a b", "First name": 1.50, "größe": "ü", "a": {"b": 1}, "no": null, "nul": "\u0000", "x-y": 1, "id": 3, "": 5, "名前": 6, "住所": 7}`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := object.Variables()
	var got []string
	for _, v := range all {
		got = append(got, v.Name+"="+v.Text)
	}
	want := []string{"WQ_FIELD_=5", "WQ_FIELD_FIRST_NAME=1.50", `WQ_FIELD_A={"b": 1}`, "WQ_FIELD_GRU00F6U00DFE=ü", "WQ_FIELD_ID=3", "WQ_FIELD_NUL=\x00",
		"WQ_FIELD_URL=a b", "WQ_FIELD_X_Y=1", "WQ_FIELD_U4F4FU6240=7", "WQ_FIELD_U540DU524D=6"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for item, want := range map[string]string{
		`{"First name": 1, "first_name": 2}`: `the fields "First name" and "first_name" would be the same variable, WQ_FIELD_FIRST_NAME: rename one of them`,
		`{"a b": null, "a-b": 2}`:            `the fields "a b" and "a-b" would be the same variable`,
		`{"é": 1, "U00E9": 2}`:               `would be the same variable`,
		`{"x": "\udc00"}`:                    `the item's field x is a string that is not all text`,
	} {
		object, err := Parse(item)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := object.Variables(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", item, err)
		}
	}
}

// FuzzFill: a string arrives as it is, whatever it is, and a command stays as it is if nothing in it looks like a placeholder.
func FuzzFill(f *testing.F) {
	for _, arg := range []string{"a{}b", "{.f}", `\{.f}`, "{{.f}}", "${#}", "{.f.g}", "{.", "{#}"} {
		f.Add(arg, "value")
		f.Add(arg, "{.f}{}{#}")
	}
	f.Fuzz(func(t *testing.T, arg, value string) {
		value = strings.ToValidUTF8(value, "?")
		item, err := json.Marshal(map[string]string{"f": value})
		if err != nil {
			t.Fatal(err)
		}
		c := Command{arg, "<{.f}>", `\{.f}`}
		_ = c.Check()
		args, err := c.Fill("1", string(item))
		if err == nil && (args[1] != "<"+value+">" || args[2] != "{.f}") {
			t.Errorf("%q becomes %q, %q", value, args[1], args[2])
		}
		if !placeholder().MatchString(arg) && (err != nil || args[0] != arg) {
			t.Errorf("%q becomes %q, %v", arg, args, err)
		}
	})
}
