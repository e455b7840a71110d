package pebble

import (
	pdb "github.com/cockroachdb/pebble/v2"
)

// iterable is a database or a snapshot.
type iterable interface {
	NewIter(o *pdb.IterOptions) (*pdb.Iterator, error)
}

// iter wraps an iterator of Pebble and counts its moves, so that tests can prove that an operation does not iterate.
type iter struct {
	it    *pdb.Iterator
	stats *counters
}

// openIter iterates over the keys with a prefix.
func openIter(from iterable, prefix []byte, stats *counters) (*iter, error) {
	stats.iterators.Add(1)
	it, err := from.NewIter(&pdb.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return nil, err
	}
	return &iter{it: it, stats: stats}, nil
}

func (i *iter) first() bool { i.stats.iterSteps.Add(1); return i.it.First() }

func (i *iter) last() bool { i.stats.iterSteps.Add(1); return i.it.Last() }

func (i *iter) next() bool { i.stats.iterSteps.Add(1); return i.it.Next() }

func (i *iter) prev() bool { i.stats.iterSteps.Add(1); return i.it.Prev() }

func (i *iter) seek(key []byte) bool { i.stats.iterSteps.Add(1); return i.it.SeekGE(key) }

func (i *iter) seekBefore(key []byte) bool { i.stats.iterSteps.Add(1); return i.it.SeekLT(key) }

// key is valid until the next move.
func (i *iter) key() []byte { return i.it.Key() }

// value is valid until the next move; damage shows as an error here.
func (i *iter) value() ([]byte, error) { return i.it.ValueAndErr() }

// close returns the error of any move. It also counts Pebble's own steps over tombstones.
func (i *iter) close() error {
	stats := i.it.Stats()
	i.stats.internalSteps.Add(uint64(stats.ForwardStepCount[pdb.InternalIterCall]) +
		uint64(stats.ReverseStepCount[pdb.InternalIterCall]))
	err := i.it.Error()
	if cerr := i.it.Close(); err == nil {
		err = cerr
	}
	return err
}
