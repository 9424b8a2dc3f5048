package auth

// FetchClient is the client that sources have by default.
var FetchClient = fetchClient
