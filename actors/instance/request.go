package instance

import "sync"

// request is a request whose answer brings something that must be given back if nothing takes it: memory or an admission. An
// actor that has lost its step machine calls the request off, so that it need not wait for the answer, which may take long.
type request struct {
	mu        sync.Mutex
	answered  bool
	calledOff bool
}

// answer calls send, or giveBack if the request has been called off. It may be called from any goroutine.
func (r *request) answer(send, giveBack func()) {
	r.mu.Lock()
	off := r.calledOff
	r.answered = true
	if !off {
		send()
	}
	r.mu.Unlock()
	if off {
		giveBack()
	}
}

// callOff reports whether no answer comes any more. Otherwise it is on its way.
func (r *request) callOff() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calledOff = true
	return !r.answered
}
