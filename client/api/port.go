package api

// Port carries requests to a node. It calls each done once with the answer, from any goroutine, perhaps before the request
// returns; done must not block. An error of an answer is an [*Error]; the answer itself is zero then. The data of a request
// belongs to the port from the call on, and that of an answer to the caller.
//
// When the node stops, requests may stay without an answer: a caller that waits for one also watches Stopped.
type Port interface {
	Reader

	// Start starts an instance. It is answered when the start is durable.
	Start(r StartRequest, done func(Started, error))
	// Raise raises an event to an instance. It is answered when the event is durable.
	Raise(r RaiseRequest, done func(error))
	// Enqueue puts a message into a queue of an instance. It is answered when the message is durable.
	Enqueue(r EnqueueRequest, done func(error))
	// Cancel asks an instance to cancel itself and its children. It is answered when the request is durable.
	Cancel(r CancelRequest, done func(error))
	// Terminate ends an instance without its code. It is answered when the end is durable.
	Terminate(r TerminateRequest, done func(error))
	// Release has an instance that is held tried again. It is answered when that is durable.
	Release(r ReleaseRequest, done func(error))
	// Query asks the code of an instance, between two of its turns. It writes nothing.
	Query(r QueryRequest, done func(QueryAnswer, error))
	// Wait is answered when the instance has ended; a continue-as-new is no end. cancel withdraws the request; done may still
	// be called if the end came first.
	Wait(r WaitRequest, done func(End, error)) (cancel func())
}

// Reader is the part of a [Port] that only reads. A store that no node runs on has no more.
type Reader interface {
	// Status tells where an instance is.
	Status(r StatusRequest, done func(Status, error))
	// Describe tells all about an instance but its history.
	Describe(r DescribeRequest, done func(Description, error))
	// KV gives a value of an instance's key-value store.
	KV(r KVRequest, done func(KVValue, error))
	// KVList gives a page of an instance's key-value store.
	KVList(r KVListRequest, done func(KVPage, error))
	// List gives a page of instances.
	List(r ListRequest, done func(ListPage, error))
	// Count counts the instances.
	Count(r CountRequest, done func(Counts, error))
	// History gives a page of the history of an execution.
	History(r HistoryRequest, done func(HistoryPage, error))
	// Executions gives a page of the executions of an instance.
	Executions(r ExecutionsRequest, done func(ExecutionsPage, error))

	// Stopped is closed when the port answers no more requests; Cause then returns why.
	Stopped() <-chan struct{}
	Cause() error
}
