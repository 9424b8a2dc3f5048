package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
)

// List is a result that is read while it is written, so that a long one does
// not wait for its end and is never in memory as a whole. An error is the last
// that it yields.
type List iter.Seq2[any, error]

// listBuffer is how much of a list is gathered before it is sent. A list that
// fits is an answer like any other: with its length, or the status of its error.
const listBuffer = 32 << 10

// errCutShort marks an answer of which only a part was sent.
var errCutShort = errors.New("the answer was cut short")

// CutShort reports whether err, of Envelope.Write, came when part of the answer
// had been sent. The connection must then be broken off, by which the client
// knows.
func CutShort(err error) bool { return errors.Is(err, errCutShort) }

// writeList sends the envelope with the items of list in the place of Result.
func (e Envelope) writeList(w http.ResponseWriter, httpStatus int, list List) error {
	e.Result = []any{}
	frame, err := e.encode(httpStatus)
	if err != nil {
		return e.fail(w, fmt.Errorf("encode answer: %w", err))
	}
	// What follows is text, whose quotes are escaped, so the last one is it.
	const empty = `"result":[]`
	end := bytes.LastIndex(frame, []byte(empty)) + len(empty) - 1

	var body bytes.Buffer
	body.Write(frame[:end])
	encoder := newEncoder(&body)
	isSent, isFirst := false, true
	for item, err := range list {
		if err == nil {
			if !isFirst {
				body.WriteByte(',')
			}
			isFirst = false
			err = encodeItem(encoder, &body, item)
		}
		switch {
		case err != nil && isSent:
			return fmt.Errorf("%w: %w", errCutShort, err)
		case err != nil:
			return e.fail(w, err)
		case body.Len() < listBuffer:
			continue
		}
		if !isSent {
			writeHeader(w, httpStatus)
			isSent = true
		}
		if _, err := body.WriteTo(w); err != nil {
			return nil // the client is gone
		}
	}
	body.Write(frame[end:])
	if !isSent {
		writeWhole(w, httpStatus, body.Bytes())
		return nil
	}
	_, _ = body.WriteTo(w) // fails only when the client is gone
	return nil
}

// encodeItem writes item to body without the line break that ends a document.
func encodeItem(encoder *json.Encoder, body *bytes.Buffer, item any) error {
	if err := encoder.Encode(item); err != nil {
		return fmt.Errorf("encode item: %w", err)
	}
	body.Truncate(body.Len() - 1)
	return nil
}

// fail answers with err, of which nothing has been sent, and returns it.
func (e Envelope) fail(w http.ResponseWriter, err error) error {
	WriteError(w, err, e.Version)
	return err
}
