package api

// QueryRequest asks the code of an instance.
type QueryRequest struct {
	ID    string
	Name  string
	Input []byte
}

// QueryAnswer is what the handler of a query returned.
type QueryAnswer struct {
	Output []byte
	// Failure is set if the handler returned an error: an encoded turnstone.v1.Failure.
	Failure []byte
}
