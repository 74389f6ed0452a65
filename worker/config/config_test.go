package config

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/workqueue/workqueue/worker/fields"
	"github.com/workqueue/workqueue/worker/queue"
)

// TestSettingsAreDeclaredOnce: each variable in one field, with the chart's value or the reason why there is none; its default is within its limits.
func TestSettingsAreDeclaredOnce(t *testing.T) {
	os.Clearenv()
	t.Setenv("WQ_QUEUE", "job2")
	t.Setenv("WQ_PRINT_ITEMS", "true")
	declared := map[string]reflect.StructTag{}
	for _, settings := range everyVerb() {
		if err := Load(settings); err != nil {
			t.Errorf("%T: a default is wrong: %v", settings, err)
		}
		for _, f := range fieldsOf(reflect.ValueOf(settings).Elem()) {
			if other, again := declared[f.name()]; again && other != f.StructField.Tag {
				t.Errorf("%s is declared twice", f.name())
			}
			declared[f.name()] = f.StructField.Tag
		}
	}
	for _, s := range All() {
		if strings.HasPrefix(s.Name, fields.VariablePrefix) {
			t.Errorf("%s may be taken for a field of an item", s.Name)
		}
		if (len(s.Values) == 0) == (s.Internal == "") {
			t.Errorf("%s needs either the tag value, the chart's value that sets it, or the tag internal, why there is none", s.Name)
		}
		if s.Help == "" {
			t.Errorf("%s has no tag desc", s.Name)
		}
		delete(declared, s.Name)
	}
	if len(declared) > 0 {
		t.Errorf("All leaves out %v", declared)
	}
}

func TestStopAfter(t *testing.T) {
	for _, test := range []struct {
		maxDead, stopAfter string
		want               queue.Portion
		refused            string
	}{
		{"0", "", queue.Portion{Items: 100}, ""},
		{"500", "", queue.Portion{Items: 1000}, ""},
		{"500", "0", queue.Portion{}, ""},
		{"500", "501", queue.Portion{Items: 501}, ""},
		{"500", "500", queue.Portion{}, "WQ_STOP_AFTER_DEAD: 500 is not above WQ_MAX_DEAD, 500"},
		{"9223372036854775807", "", queue.Portion{Items: 9223372036854775807}, ""},
		{"9223372036854775800", "", queue.Portion{Items: 9223372036854775807}, ""},
		{"5%", "5%", queue.Portion{Percent: 5}, ""},
		{"0", "7", queue.Portion{Items: 7}, ""},
		{"500", "499", queue.Portion{}, "WQ_STOP_AFTER_DEAD: 499 is not above WQ_MAX_DEAD, 500"},
		{"5%", "", queue.Portion{Percent: 10}, ""},
		{"60%", "", queue.Portion{Percent: 100}, ""},
		{"5%", "0.5%", queue.Portion{}, "WQ_STOP_AFTER_DEAD: 0.5% is not above WQ_MAX_DEAD, 5%"},
		{"5%", "10", queue.Portion{Items: 10}, ""},
		{"5%", "0", queue.Portion{}, ""},
		{"5 %", "", queue.Portion{}, `WQ_MAX_DEAD: "5 %" is not a whole number, 0 or more, or a share such as 5% or 0.1%`},
		{"0%", "", queue.Portion{}, `WQ_MAX_DEAD: "0%" is not`},
		{"NaN%", "", queue.Portion{}, `WQ_MAX_DEAD: "NaN%" is not`},
		{"101%", "", queue.Portion{}, `WQ_MAX_DEAD: "101%" is not`},
		{"-1", "", queue.Portion{}, `WQ_MAX_DEAD: "-1" is not`},
		{"0", "-1%", queue.Portion{}, `WQ_STOP_AFTER_DEAD: "-1%" is not`},
	} {
		os.Clearenv()
		t.Setenv("WQ_QUEUE", "job2")
		t.Setenv("WQ_PRINT_ITEMS", "true")
		t.Setenv("WQ_MAX_DEAD", test.maxDead)
		t.Setenv("WQ_STOP_AFTER_DEAD", test.stopAfter)
		var w Work
		switch err := Load(&w); {
		case test.refused != "":
			if err == nil || !strings.Contains(err.Error(), test.refused) {
				t.Errorf("%+v: got %v", test, err)
			}
		case err != nil || w.StopAfter() != test.want:
			t.Errorf("%+v: got %v, %v", test, w.StopAfter(), err)
		}
	}
}
