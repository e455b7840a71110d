package system

// Prefix begins the names of system activities.
const Prefix = "__turnstone_syscall:"

// GetKV reads a key of another instance's key-value store. Its input is a [KVRead], its result a [KVFound] or null.
const GetKV = Prefix + "get_kv_value"

// KVRead names the key.
type KVRead struct {
	Instance string `json:"instance"`
	Key      string `json:"key"`
}

// KVFound is a value that is there. Without a key or an instance of that name the result is null.
type KVFound struct {
	Value     []byte `json:"value"`
	UpdatedMs int64  `json:"updated_ms"`
}
