// Package catalogue is the program behind "turnstone demo": a durable catalogue of a directory tree. It measures every
// file of the tree with activities, fans them out through child orchestrations, and joins what they found.
//
// It is written as an author's package: it uses only the public API, and must not know the node, the journal or the
// command line. What it sees of the file system it sees inside activities.
//
// Paths travel escaped (see [Escape]), because a path is bytes and a value in a history is text.
//
// Start reading at [Catalogue] in orchestrations.go.
package catalogue
