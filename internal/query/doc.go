// Package query has the refusals of queries: why a question to an instance was not answered by its code. They cross several
// rooms, from the machine that runs the code to the client, so they are below all of them.
//
// It must not know how a query is carried out.
//
// Start reading at refusal.go.
package query
