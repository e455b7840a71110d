package pebble

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/persistence"
)

// keyFilter reports, from memory, whether a key is certainly missing or may exist. It is a Bloom filter that grows by
// layers: about 16 bits a key, and about one false positive in a thousand. One goroutine adds keys; any may ask.
type keyFilter struct {
	layers atomic.Pointer[[]*filterLayer]
	// left is how many keys the newest layer has room for.
	left int
}

// filterLayer is blocks of one cache line; a key sets its bits in one of them.
type filterLayer struct{ blocks [][8]atomic.Uint64 }

const (
	filterFirstKeys  = 1 << 12
	filterGrowth     = 4
	filterKeysABlock = 32 // of 512 bits
	filterProbes     = 6
)

func (f *keyFilter) add(hash uint64) {
	if f.left == 0 {
		f.grow()
	}
	f.left--
	layers := *f.layers.Load()
	block := layers[len(layers)-1].block(hash)
	for range filterProbes {
		hash = hash*0x9e3779b97f4a7c15 + 1
		block[hash>>61].Or(1 << (hash >> 55 & 63))
	}
}

func (f *keyFilter) grow() {
	var layers []*filterLayer
	keys := filterFirstKeys
	if old := f.layers.Load(); old != nil {
		layers = append(layers, *old...)
		for range layers {
			keys *= filterGrowth
		}
	}
	layers = append(layers, &filterLayer{blocks: make([][8]atomic.Uint64, keys/filterKeysABlock)})
	f.layers.Store(&layers)
	f.left = keys
}

func (f *keyFilter) has(hash uint64) bool {
	layers := f.layers.Load()
	if layers == nil {
		return false
	}
	for _, l := range *layers {
		if l.has(hash) {
			return true
		}
	}
	return false
}

func (l *filterLayer) block(hash uint64) *[8]atomic.Uint64 {
	return &l.blocks[(hash>>32)*uint64(len(l.blocks))>>32]
}

func (l *filterLayer) has(hash uint64) bool {
	block := l.block(hash)
	for range filterProbes {
		hash = hash*0x9e3779b97f4a7c15 + 1
		if block[hash>>61].Load()&(1<<(hash>>55&63)) == 0 {
			return false
		}
	}
	return true
}

// knownKeys filters a partition's N and R keys: those that existed when the store was opened, once they have been read in
// the background, and those written since. Every row of these families that is written is added.
type knownKeys struct {
	seed   maphash.Seed
	before keyFilter
	since  keyFilter
	// complete is set when before holds all keys.
	complete atomic.Bool
}

func newKnownKeys() *knownKeys { return &knownKeys{seed: maphash.MakeSeed()} }

// wrote adds a key that Apply writes.
func (k *knownKeys) wrote(key []byte) { k.since.add(maphash.Bytes(k.seed, key)) }

// absent reports whether a row is certainly missing.
func (k *knownKeys) absent(key []byte) bool {
	if !k.complete.Load() {
		return false
	}
	hash := maphash.Bytes(k.seed, key)
	return !k.before.has(hash) && !k.since.has(hash)
}

// fillFilters reads the keys that existed at the open, of all partitions. It stops when left is closed: then the filters stay
// incomplete, and each look-up asks Pebble.
func (c *core) fillFilters(from source, left <-chan struct{}) error {
	for _, m := range c.machines {
		for _, f := range []family{famName, famRequest} {
			r := &reader{p: m.p, partitions: len(c.machines), from: from, stats: &c.stats, failed: c.readFailed}
			prefix := appendPrefix(nil, m.p, f)
			err := r.scanRows(prefix, prefix, func(key, _ []byte) (bool, error) {
				m.known.before.add(maphash.Bytes(m.known.seed, key))
				return !closedNow(left) && c.latch.clear(), nil
			})
			if err != nil || closedNow(left) || !c.latch.clear() {
				return err
			}
		}
		m.known.complete.Store(true)
	}
	return nil
}

func closedNow(left <-chan struct{}) bool {
	select {
	case <-left:
		return true
	default:
		return false
	}
}

// workCache keeps the work rows that were written last, so that the result of an activity finds its row in memory. Only
// Apply changes it. All rows in it exist; a row that is not in it may exist.
type workCache struct {
	max  int
	rows map[persistence.WorkKey]persistence.WorkItem
}

func newWorkCache(limit int) *workCache {
	return &workCache{max: limit, rows: map[persistence.WorkKey]persistence.WorkItem{}}
}

func (c *workCache) put(w *persistence.WorkItem) {
	if len(c.rows) >= c.max {
		for key := range c.rows { // it may drop any row: a dropped row is read from Pebble
			delete(c.rows, key)
			break
		}
	}
	item := *w
	item.Input, item.Orchestration, item.Version = nil, "", "" // not part of the row
	c.rows[w.Key] = item
}
