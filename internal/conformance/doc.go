// Command conformance compares the list of conformance cases (docs/conformance.txt) with the tests that carry their
// ids, and with what those tests came to.
//
//	conformance                       print the table: listed and present
//	conformance -run                  run the packages that have cases first, and print what passes
//	conformance -record FILE -- ARGS  run `go test ARGS`, print what fails, and write every test's outcome to FILE
//	conformance -from DIR             print the table with the outcomes that were recorded into DIR
//	conformance -floor FILE           fail if fewer cases are present than FILE says, or if one that is present
//	                                  did not pass; with -write-floor, write the number instead
//
// A case is present when a test's function name, or a string in test code, has its id with an underscore: RE_017. It
// passes when at least one test whose name has the id passed and none failed. Every name says its case in words: a string
// begins with the id and the list's sentence, and a function's name goes on with words of its own. A bare id is refused.
//
// It must not know more of a case than its sentence. Start reading at the function run.
package main
