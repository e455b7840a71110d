package client_test

import (
	"bytes"
	"encoding/gob"
	"errors"
	"reflect"
	"testing"

	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/client/clienttest"
)

// A client of a port that lets nothing through but bytes.
func TestPortThroughAnEncoding(t *testing.T) {
	clienttest.Run(t, func(t *testing.T, node api.Port) api.Port { return &encoding{t, node} })
}

// encoding carries requests and answers as a connection does: encoded, without the cause of an error.
type encoding struct {
	t    *testing.T
	node api.Port
}

var _ api.Port = (*encoding)(nil)

// sent is what comes out at the other end.
func sent[T any](t *testing.T, v T) (out T) {
	if reflect.TypeFor[T]().NumField() == 0 { // gob sends no type without fields
		return out
	}
	var b bytes.Buffer
	if err := errors.Join(gob.NewEncoder(&b).Encode(v), gob.NewDecoder(&b).Decode(&out)); err != nil {
		t.Errorf("send a %T: %v", v, err)
	}
	return out
}

func (e *encoding) failed(err error) error {
	if err == nil {
		return nil
	}
	var answer *api.Error
	if !errors.As(err, &answer) {
		e.t.Errorf("the error of an answer is a %T: %v", err, err)
		return err
	}
	known := *answer
	known.Cause = nil
	out := sent(e.t, known)
	return &out
}

func answered[A any](e *encoding, done func(A, error)) func(A, error) {
	return func(a A, err error) { done(sent(e.t, a), e.failed(err)) }
}

func (e *encoding) told(done func(error)) func(error) { return func(err error) { done(e.failed(err)) } }

func (e *encoding) Start(r api.StartRequest, done func(api.Started, error)) {
	e.node.Start(sent(e.t, r), answered(e, done))
}

func (e *encoding) Raise(r api.RaiseRequest, done func(error)) {
	e.node.Raise(sent(e.t, r), e.told(done))
}

func (e *encoding) Enqueue(r api.EnqueueRequest, done func(error)) {
	e.node.Enqueue(sent(e.t, r), e.told(done))
}

func (e *encoding) Cancel(r api.CancelRequest, done func(error)) {
	e.node.Cancel(sent(e.t, r), e.told(done))
}

func (e *encoding) Terminate(r api.TerminateRequest, done func(error)) {
	e.node.Terminate(sent(e.t, r), e.told(done))
}

func (e *encoding) Query(r api.QueryRequest, done func(api.QueryAnswer, error)) {
	e.node.Query(sent(e.t, r), answered(e, done))
}

func (e *encoding) Release(r api.ReleaseRequest, done func(error)) {
	e.node.Release(sent(e.t, r), e.told(done))
}

func (e *encoding) Wait(r api.WaitRequest, done func(api.End, error)) (cancel func()) {
	return e.node.Wait(sent(e.t, r), answered(e, done))
}

func (e *encoding) Status(r api.StatusRequest, done func(api.Status, error)) {
	e.node.Status(sent(e.t, r), answered(e, done))
}

func (e *encoding) Describe(r api.DescribeRequest, done func(api.Description, error)) {
	e.node.Describe(sent(e.t, r), answered(e, done))
}

func (e *encoding) KV(r api.KVRequest, done func(api.KVValue, error)) {
	e.node.KV(sent(e.t, r), answered(e, done))
}

func (e *encoding) KVList(r api.KVListRequest, done func(api.KVPage, error)) {
	e.node.KVList(sent(e.t, r), answered(e, done))
}

func (e *encoding) List(r api.ListRequest, done func(api.ListPage, error)) {
	e.node.List(sent(e.t, r), answered(e, done))
}

func (e *encoding) Count(r api.CountRequest, done func(api.Counts, error)) {
	e.node.Count(sent(e.t, r), answered(e, done))
}

func (e *encoding) History(r api.HistoryRequest, done func(api.HistoryPage, error)) {
	e.node.History(sent(e.t, r), answered(e, done))
}

func (e *encoding) Executions(r api.ExecutionsRequest, done func(api.ExecutionsPage, error)) {
	e.node.Executions(sent(e.t, r), answered(e, done))
}

func (e *encoding) Stopped() <-chan struct{} { return e.node.Stopped() }

func (e *encoding) Cause() error { return e.node.Cause() }
