// Package examples has complete small programs, one in each directory below. Each is run by its test, twice on one
// directory, and must print what its test says: the second run finds the instances of the first and their results.
//
//	hello     an orchestration that calls activities
//	fanout    activities and children in parallel, joined
//	saga      steps that are compensated when a later one fails
//	approval  an event that may come in time, or not
//	monitor   a loop without end, by continue-as-new
//
// They must know nothing but what an author's program knows. Start reading at hello/main.go.
package examples
