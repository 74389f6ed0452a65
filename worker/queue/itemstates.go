package queue

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// ItemState is a state of items. Every item is in exactly one.
type ItemState struct {
	Name    string // in the scripts' reply, in JSON, in metrics, in reports and on the page
	Meaning string
	Ended   bool // nothing more happens to such an item by itself

	count func(*Counts) *int
}

// ItemStates has all states of items, those that have ended first. Counts, reports, metrics, JSON and the page are made from it.
var ItemStates = []ItemState{
	{"done", "succeeded", true, func(c *Counts) *int { return &c.Done }},
	{"dead", "failed for good", true, func(c *Counts) *int { return &c.Dead }},
	{"cancelled", "taken out while they waited", true, func(c *Counts) *int { return &c.Cancelled }},
	{"leased", "with a worker", false, func(c *Counts) *int { return &c.Leased }},
	{"ready", "waiting for a worker", false, func(c *Counts) *int { return &c.Ready }},
	{"delayed", "waiting for their next attempt", false, func(c *Counts) *int { return &c.Delayed }},
	{"suspects", "waiting to run alone, because their workers died", false, func(c *Counts) *int { return &c.Suspects }},
}

// Of returns the number of items in the state.
func (s ItemState) Of(c Counts) int { return *s.count(&c) }

func sum(c *Counts, ended bool) (n int) {
	for _, state := range ItemStates {
		if state.Ended == ended {
			n += *state.count(c)
		}
	}
	return n
}

// ItemCounts is the number of items in each state. As JSON it is an object with a field for each state.
type ItemCounts map[string]int

// Items returns the number of items in each state.
func (c Counts) Items() ItemCounts {
	items := ItemCounts{}
	for _, state := range ItemStates {
		items[state.Name] = state.Of(c)
	}
	return items
}

// MarshalWith returns the JSON of a struct, with the counts as fields beside its own.
func (i ItemCounts) MarshalWith(object any) ([]byte, error) {
	encoded, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	fields := bytes.NewBufferString("{")
	for _, state := range ItemStates {
		fields.WriteString(strconv.Quote(state.Name) + ":" + strconv.Itoa(i[state.Name]) + ",")
	}
	return append(fields.Bytes(), encoded[1:]...), nil
}

// UnmarshalWith reads what MarshalWith returns, and sets the counts.
func (i *ItemCounts) UnmarshalWith(encoded []byte, object any) error {
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(encoded, &all); err != nil {
		return err
	}
	*i = ItemCounts{}
	for _, state := range ItemStates {
		if n, err := strconv.Atoi(string(all[state.Name])); err == nil {
			(*i)[state.Name] = n
		}
	}
	return json.Unmarshal(encoded, object)
}
