// Package api is what can be asked of a node: the requests, their answers, and the port that carries them.
//
// Requests and answers are plain data: numbers, texts, bytes, and lists and structs of these. Each can be encoded, so the
// port can be implemented by a node in this process or by a connection to another one. Payloads and failures are bytes as
// they are recorded; the client decodes them. Times are milliseconds since the Unix epoch, and 0 is none.
//
// It owns the types and their guarantees. It must not know how a request is carried out, where, or how it is encoded: it
// imports nothing of this module.
//
// Invariants: a request has all that its answer depends on. An answer that grows with the store comes in pages.
//
// Start reading at [Port].
package api
