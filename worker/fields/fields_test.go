package fields

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestFill(t *testing.T) {
	const item = `{"url": "https://a/?b&c", "n": 1.50, "big": 12345678901234567890, "yes": true, "none": null, "First name": "Ada", "größe": "ü",
		"a": {"b": {"c": [1, 2]}, "x": "y"}, "d.e": "dotted", "empty": "", "brace": "{.n}{}"}`
	for arg, want := range map[string]string{
		"{}":                         item,
		"no placeholder":             "no placeholder",
		"{#}-{.n}":                   "7-1.50",
		"{.url}":                     "https://a/?b&c",
		"{.big} {.yes}":              "12345678901234567890 true",
		"{.First name}":              "Ada",
		"{.größe}":                   "ü",
		"<{.empty}>":                 "<>",
		"{.a}":                       `{"b": {"c": [1, 2]}, "x": "y"}`,
		"{.a.b.c} {.a.x}":            "[1, 2] y",
		"{.d.e}":                     "dotted",
		"{.brace}":                   "{.n}{}", // what comes from an item is not replaced again
		`{"n":{.n}}`:                 `{"n":1.50}`,
		"{{.Names}} {{#}}":           "{{.Names}} {{#}}",
		"${#} ${.sh.version}":        "${#} ${.sh.version}",
		`\{.status.phase} \{#}`:      "{.status.phase} {#}",
		`s/{.*}/x/; {.items[*].n} \`: `s/{.*}/x/; {.items[*].n} \`,
		"{#":                         "{#",
	} {
		c := Command{"program", arg}
		got, err := c.Fill("7", item)
		if err != nil || c.Check() != nil || !slices.Equal(got, []string{"program", want}) {
			t.Errorf("%s: got %q, %v, %v; want %q", arg, got, err, c.Check(), want)
		}
	}
	for _, test := range []struct{ item, arg, want string }{
		{item, "{.x}", "the item has no field x; its fields are First name, a, big"},
		{item, "{.a.z}", "the item has no field a.z; its fields are"},
		{item, "{.url.z}", "the item has no field url.z"},
		{item, "{.none}", "the item's field none is null"},
		{"apple", "{.x}", "the item is not a JSON object, so it has no field x"},
		{`["x"]`, "{.x}", "the item is not a JSON object"},
		{`{"x": }`, "{.x}", "the item is not a JSON object"},
	} {
		_, err := Command{test.arg}.Fill("7", test.item)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s, %s: got %v, want %s", test.item, test.arg, err, test.want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, arg := range []string{"{.}", "x{.a.}", "{..a}", "{.a..b}", "{. a}", "{.a }"} {
		if err := (Command{arg}).Check(); err == nil || !strings.Contains(err.Error(), `or \{.`) {
			t.Errorf("%s: %v", arg, err)
		}
	}
	for _, arg := range []string{`\{.}`, "{{.}}", "${.}", "{.5, print}", "{.*}", "{", "{.a"} {
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
	object, _ := Parse(`{"url": "a b", "First name": 1.50, "größe": "ü", "a": {"b": 1}, "no": null, "nul": "\u0000", "x-y": 1, "x y": 2, "id": 3, "mine": 4, "": 5}`)
	got := object.Variables(func(name string) bool { return name == "WQ_ITEM_MINE" })
	want := []string{"WQ_ITEM_=5", `WQ_ITEM_A={"b": 1}`, "WQ_ITEM_FIRST_NAME=1.50", "WQ_ITEM_GR__E=ü", "WQ_ITEM_URL=a b"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
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
