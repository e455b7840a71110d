package pebble

import (
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

func encodeTopic(e *rowcode.Enc, t *persistence.TopicRow) {
	e.Version(topicVersion)
	e.U(t.First)
	e.U(t.Next)
	e.U(t.Live)
}

func decodeTopic(topic persistence.Topic, row []byte) (persistence.TopicRow, error) {
	d := rowcode.NewDec(row, topicVersion)
	t := persistence.TopicRow{Topic: topic, First: d.U(), Next: d.U(), Live: d.U()}
	return t, d.Done()
}

// encodeOrdinal is the value of a j row: the seq of the inbox row that has the ordinal.
func encodeOrdinal(e *rowcode.Enc, seq uint64) {
	e.Version(ordinalVersion)
	e.U(seq)
}

func decodeOrdinal(row []byte) (seq uint64, err error) {
	d := rowcode.NewDec(row, ordinalVersion)
	seq = d.U()
	return seq, d.Done()
}

// encodeWatcher is the value of a w row: the id of the instance that waits.
func encodeWatcher(e *rowcode.Enc, w *persistence.WatcherItem) {
	e.Version(watcherVersion)
	e.S(w.Link.ID)
}

// decodeWatcher fills in the id; the key has the other fields.
func decodeWatcher(w persistence.WatcherItem, row []byte) (persistence.WatcherItem, error) {
	d := rowcode.NewDec(row, watcherVersion)
	w.Link.ID = d.S()
	return w, d.Done()
}
