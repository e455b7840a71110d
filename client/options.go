package client

import (
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client/api"
)

// StartOption changes one start.
type StartOption interface{ start(*request) }

// RequestOption changes one request: a start, an event, a cancel or a termination.
type RequestOption interface {
	StartOption
	everyRequest()
}

// WaitOption changes one wait.
type WaitOption interface{ wait(*api.WaitRequest) }

// request has the settings of the options.
type request struct {
	version   string
	versioned bool
	key       string
	keyed     bool
	delay     time.Duration
	timeout   time.Duration
}

type versionOption string

func (o versionOption) start(r *request) { r.version, r.versioned = string(o), true }

// WithVersion starts this version instead of the handle's own or, if that has none, of the one that the registry's
// policy names. A text that is no semantic version is refused with a turnstone.VersionError.
func WithVersion(version string) StartOption { return versionOption(version) }

type keyOption string

func (o keyOption) start(r *request) { r.key, r.keyed = string(o), true }
func (o keyOption) everyRequest()    {}

// WithRequestKey makes a request repeatable for 24 hours: repeated with the same instance and key, it does nothing
// again and is answered as it was the first time. Use it to ask again after turnstone.ErrUncertain. A key names one
// request to an instance: another one with the same key is turnstone.ErrRequestKeyReused. An empty key is refused.
func WithRequestKey(key string) RequestOption { return keyOption(key) }

// requestOf refuses options with an empty text, which the port takes for no option.
func requestOf[O StartOption](options []O) (r request, err error) {
	for _, o := range options {
		o.start(&r)
	}
	switch {
	case r.versioned && r.version == "":
		err = author.CheckVersion(r.version)
	case r.keyed && r.key == "":
		err = fmt.Errorf("%w: the request key is empty; leave WithRequestKey out for a request without one", turnstone.ErrInvalidInput)
	}
	return r, err
}

type delayOption time.Duration

func (o delayOption) start(r *request) { r.delay = time.Duration(o) }

// WithStartDelay has the instance wait before its first turn, durably, from the moment when the start is recorded. Until then
// it exists and is Pending: it takes events, and a cancel ends it at once without running its code. 0 is no delay.
func WithStartDelay(d time.Duration) StartOption { return delayOption(d) }

type timeoutOption time.Duration

func (o timeoutOption) start(r *request) { r.timeout = time.Duration(o) }

// WithExecutionTimeout bounds how long an execution of the instance may take, from its first turn on; a start delay does not
// count. One that takes longer fails with turnstone.ErrExecutionTimeout, and its children are cancelled as at any failure,
// those that are waited for too. After a continue-as-new the next execution has the same time again. 0 is no bound.
func WithExecutionTimeout(d time.Duration) StartOption { return timeoutOption(d) }

// milliseconds is a duration in milliseconds; a positive one that is shorter than a millisecond is one.
func milliseconds(d time.Duration) int64 {
	ms := int64(d / time.Millisecond)
	switch {
	case d%time.Millisecond > 0:
		ms++
	case d < 0 && ms == 0:
		ms = -1 // it stays negative, to be refused
	}
	return ms
}

type startWait struct{}

func (startWait) wait(r *api.WaitRequest) { r.ForStart = true }

// WaitForStart waits also for an instance that does not exist yet: one that another caller starts, or a child or a
// detached instance whose start is on its way. Without it such a wait ends at once.
func WaitForStart() WaitOption { return startWait{} }
