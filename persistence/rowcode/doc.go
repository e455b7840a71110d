// Package rowcode is the small, stable encoding of rows that the journal builds itself: numbers as varints, strings
// and byte strings with their length, one format version in front.
//
// It owns the encoding of single fields. It must not know any row: the order of fields is each row's own business.
//
// Invariants: the same fields give the same bytes on every build (protobuf output may differ between builds, which is
// why it is not used here); a decoder never reads beyond its input, never panics, and reports bytes that are left over.
//
// Start reading at [Enc] and [Dec].
package rowcode
