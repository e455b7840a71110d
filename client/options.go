package client

import (
	"fmt"

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

type startWait struct{}

func (startWait) wait(r *api.WaitRequest) { r.ForStart = true }

// WaitForStart waits also for an instance that does not exist yet: one that another caller starts, or a child or a
// detached instance whose start is on its way. Without it such a wait ends at once.
func WaitForStart() WaitOption { return startWait{} }
