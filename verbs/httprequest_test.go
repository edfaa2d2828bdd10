package verbs

import (
	"encoding/json"
	"testing"
)

func TestFieldOfAnswer(t *testing.T) {
	var answer any
	if err := json.Unmarshal([]byte(`{"a":{"b":"x"},"list":[{"n":"first"},[true,null]]}`), &answer); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path, want string
		ok         bool
	}{
		{"a.b", "x", true},
		{"a", `{"b":"x"}`, true},
		{"list[0].n", "first", true},
		{"list[1][0]", "true", true},
		{"list[1][1]", "", true},
		{"list[2]", "", false},
		{"list[-1]", "", false},
		{"list[x]", "", false},
		{"a.c", "", false},
		{"a[0]", "", false},
		{"list.n", "", false},
	} {
		v, ok := at(answer, test.path)
		got := ""
		if ok {
			got = Plain(v)
		}
		if ok != test.ok || got != test.want {
			t.Errorf("%q: got %q %v, want %q %v", test.path, got, ok, test.want, test.ok)
		}
	}
}
