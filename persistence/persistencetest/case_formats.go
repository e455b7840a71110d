package persistencetest

import (
	"errors"

	"github.com/turnstone-dev/turnstone/persistence"
)

// keyNamesOneRequest: a request key belongs to a target and names one request (F04).
func keyNamesOneRequest(s *story) {
	request := func(key string, kind persistence.RequestKind, name, payload string) persistence.Request {
		return persistence.Request{
			Key: key, Kind: kind, Digest: persistence.DigestRequest(kind, name, "1.0.0", []byte(payload)),
		}
	}
	start := func(name, input string) *persistence.StartInstance {
		return &persistence.StartInstance{
			ID: "a", Name: name, Version: "1.0.0", Input: []byte(input),
			Request: request("k", persistence.RequestStart, name, input),
		}
	}
	enqueue := func(key string, kind persistence.RequestKind, text string) *persistence.Enqueue {
		return &persistence.Enqueue{ID: "a", Message: eventMessage(text), Request: request(key, kind, text, "")}
	}
	iid := s.must("a", start("n", "in")).IID
	seq := s.must("a", enqueue("m", persistence.RequestEvent, "x")).Seq
	for what, c := range map[string]persistence.Command{
		"a start with another input": start("n", "other"), "a start with another name": start("o", "in"),
		"an event with the start's key":    enqueue("k", persistence.RequestEvent, "x"),
		"a cancel with the start's key":    enqueue("k", persistence.RequestCancel, "x"),
		"a cancel with the event's key":    enqueue("m", persistence.RequestCancel, "x"),
		"an event with another content":    enqueue("m", persistence.RequestEvent, "y"),
		"a terminate with the start's key": &persistence.Terminate{ID: "a", IID: iid, Request: request("k", persistence.RequestTerminate, "", "")},
	} {
		s.refused(s.do("a", c).Err, persistence.ErrKeyReused, what)
	}
	if r := s.must("a", start("n", "in")); !r.Repeated || r.IID != iid {
		s.Errorf("the same start again: %+v", r)
	}
	if r := s.must("a", enqueue("m", persistence.RequestEvent, "x")); !r.Repeated || r.Seq != seq {
		s.Errorf("the same event again: %+v", r)
	}
	if head, _ := s.head("a"); head.Inbox != 1 {
		s.Errorf("%d messages, want 1", head.Inbox)
	}
	f := s.mustFetch()
	p := f.plan()
	p.acceptMessage(request("m", persistence.RequestEvent, "y", ""), eventMessage("y"))
	var refusal *persistence.Refusal
	if err := f.ack(p); !errors.As(err, &refusal) || refusal.Code != persistence.Stale {
		s.Errorf("a turn that accepts another event with the key: %v", err)
	}
}
