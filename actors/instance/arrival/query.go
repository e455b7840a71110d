package arrival

import (
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// QueryRequest asks the code of an instance.
type QueryRequest struct {
	ID    string
	Name  string
	Input []byte
}

// QueryReply answers a query: Output, or Failure if the code returned an error. Err is set if the code gave no answer: a
// *query.Refusal, or an error as for a delivery.
type QueryReply struct {
	Output  []byte
	Failure *turnpb.Failure
	Err     error
}

// Query brings a query. It is never durable, and it changes nothing. reply is called once.
type Query struct {
	QueryRequest
	Answer QueryReply // what the code gave, before the sender is answered
	reply  func(QueryReply)
}

// NewQuery returns the message of a query. reply is called once, from any goroutine, and must not block.
func NewQuery(r QueryRequest, reply func(QueryReply)) any {
	return &Query{QueryRequest: r, reply: reply}
}

// answer tells the sender what the code gave, or err.
func (q *Query) answer(err error) {
	if err != nil {
		q.reply(QueryReply{Err: err})
		return
	}
	q.reply(q.Answer)
}
