package persistence

// Topic is what an inbox row is about: a hash of the kind and the name of an event or a queue message. 0 is what has no
// name: answers, and requests to cancel. Two names may have one topic, so a reader of a topic's rows compares names too.
type Topic uint64

// TopicOf is the topic of a kind (turnpb.ArrivalKind) and a name: 64-bit FNV-1a of both, never 0.
func TopicOf(kind uint8, name string) Topic {
	const offset, prime = 0xcbf29ce484222325, 0x100000001b3
	h := (uint64(offset) ^ uint64(kind)) * prime
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * prime
	}
	if h == 0 {
		h = offset
	}
	return Topic(h)
}

// TopicRow says which rows of an instance's inbox are about one topic. They are numbered in the order of their arrival:
// those from First on, and below Next, are there, except those that were taken out of order. Live is how many there are.
// The row goes with the last of them.
type TopicRow struct {
	Topic Topic
	First uint64
	Next  uint64
	Live  uint64
}
