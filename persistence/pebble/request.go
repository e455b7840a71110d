package pebble

import "github.com/turnstone-dev/turnstone/persistence"

// remembered returns the first answer to a request key, if it has not expired.
func (m *machine) remembered(id, key string) (persistence.RequestItem, bool) {
	if key == "" {
		return persistence.RequestItem{}, false
	}
	r, ok := m.request(id, key)
	return r, ok && m.now < r.ExpiresAtMs
}

// repeated returns the first answer to a request. The error says that the key was used for another request.
func (m *machine) repeated(id string, r *persistence.Request) (first persistence.RequestItem, known bool, refusal error) {
	first, known = m.remembered(id, r.Key)
	if known && (first.Kind != r.Kind || first.Digest != r.Digest) {
		return first, known, &persistence.Refusal{Code: persistence.KeyReused}
	}
	return first, known, nil
}

func (m *machine) request(id, key string) (persistence.RequestItem, bool) {
	m.t.key = appendRequest(m.t.key[:0], m.p, id, key)
	if m.known.absent(m.t.key) {
		return persistence.RequestItem{}, false
	}
	row, ok := m.t.get(m.t.key)
	if !ok {
		return persistence.RequestItem{}, false
	}
	r, err := decodeRequest(id, key, row)
	if err != nil {
		m.t.corrupt(m.t.key, err)
		return persistence.RequestItem{}, false
	}
	return r, true
}

// remember writes the answer to a request, with its entry in the order of expiry. It replaces an expired answer.
func (m *machine) remember(id string, r *persistence.Request, iid persistence.Incarnation, seq uint64) {
	if r.Key == "" {
		return
	}
	if old, ok := m.request(id, r.Key); ok {
		m.delExpiry(&old)
	}
	item := persistence.RequestItem{
		ID: id, Key: r.Key, Kind: r.Kind, Digest: r.Digest, IID: iid, Seq: seq, ExpiresAtMs: m.now + r.TTLMs,
	}
	if r.TTLMs <= 0 {
		item.ExpiresAtMs = m.now + persistence.RequestTTLMs
	}
	m.t.key = appendRequest(m.t.key[:0], m.p, id, r.Key)
	encodeRequest(m.t.newValue(), &item)
	m.t.put(m.t.key, m.t.value)
	m.known.wrote(m.t.key)
	m.t.key = appendExpiry(m.t.key[:0], m.p, expiryOf(&item))
	encodeMark(m.t.newValue())
	m.t.putBlind(m.t.key, m.t.value)
}

func expiryOf(r *persistence.RequestItem) persistence.ExpiryRef {
	return persistence.ExpiryRef{
		ExpiresAtMs: r.ExpiresAtMs, RequestRef: persistence.RequestRef{ID: r.ID, Key: r.Key},
	}
}

func (m *machine) delExpiry(r *persistence.RequestItem) {
	m.t.key = appendExpiry(m.t.key[:0], m.p, expiryOf(r))
	m.t.delBlind(m.t.key)
}

func (m *machine) sweep(c *persistence.Sweep) persistence.Result {
	for _, ref := range c.Requests {
		if r, ok := m.request(ref.ID, ref.Key); ok && r.ExpiresAtMs <= m.now {
			m.t.key = appendRequest(m.t.key[:0], m.p, ref.ID, ref.Key)
			m.t.del(m.t.key)
			m.delExpiry(&r)
		}
	}
	return persistence.Result{}
}
